"""NMS beside its peers: one thread, CPU time, all in one run; ratios to torchvision's greedy and to others.

    python benchmarks/nms.py [--quick]

torchvision is always there. ensemble-boxes, OpenCV and mmcv's operators take part where they can be imported.
With numba, soft NMS is timed with its compiled loops and without; compiling is never in the times.
Detector-like sets: objects of log-normal size on a canvas of 1333 x 800, each found about ten times; about
4 % of all pairs touch in one class, and 11 % of those of one class in 80. Real ones: the raw detections of a
folder ``nms_real`` below WSSTOOL_TEST_DATA.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
import torchvision

from wsstool.nms import run
from wsstool.nms.engine import compiled

#: (rule, boxes, classes) -> most times torchvision's greedy; and the goal
MUST = {
    ("greedy", 10_000, 80): (1.0, 1.0),
    ("greedy", 10_000, 1): (0.75, 0.5),
    ("soft", 10_000, 80): (1.6, 0.84),
    ("soft", 10_000, 1): (1.1, 1.1),
}
WEIGHTED = 0.05  #: most times ensemble-boxes


def detections(n: int, classes: int, seed: int = 0, grow: bool = False) -> tuple[np.ndarray, ...]:
    """(boxes, scores, labels), float32; ``grow``: the canvas grows with the number of boxes."""
    draw = np.random.default_rng(seed)
    objects = max(1, n // 10)
    side = (n / 10_000) ** 0.5 if grow else 1.0
    width = np.exp(draw.normal(np.log(73), 0.6, objects)).clip(13, 930)
    height = (width * np.exp(draw.normal(0, 0.4, objects))).clip(8, 640)
    x, y = draw.uniform(0, 1333 * side, objects), draw.uniform(0, 800 * side, objects)
    label, of = draw.integers(0, classes, objects), draw.integers(0, objects, n)
    jitter = draw.normal(0, 0.12, (n, 4))
    w, h = width[of] * np.exp(jitter[:, 2]), height[of] * np.exp(jitter[:, 3])
    cx, cy = x[of] + jitter[:, 0] * width[of], y[of] + jitter[:, 1] * height[of]
    boxes = np.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], 1)
    boxes = boxes.clip(0, np.tile([1333 * side, 800 * side], 2))
    return boxes.astype(np.float32), draw.uniform(0.01, 1, n).astype(np.float32), label[of]


def best(functions: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Least CPU milliseconds of each, taken in turn so that all see the same machine."""
    found = dict.fromkeys(functions, float("inf"))
    for _ in range(repeats):
        for name, function in functions.items():
            start = time.thread_time()
            function()
            found[name] = min(found[name], (time.thread_time() - start) * 1e3)
    return found


def peers(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> dict[str, Callable[[], Any]]:
    """What else solves the same set on this machine."""
    tensors = [torch.from_numpy(one) for one in (boxes, scores, labels)]
    found: dict[str, Callable[[], Any]] = {
        "greedy: torchvision": lambda: torchvision.ops.batched_nms(*tensors, 0.5)
    }
    try:
        cv2 = import_module("cv2")
        cv2.setNumThreads(1)
        xywh = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)
        found["greedy: opencv"] = lambda: cv2.dnn.NMSBoxesBatched(xywh, scores, labels, 0.0, 0.5)
        whole = np.round(xywh).astype(int)
        found["soft: opencv (whole numbers, no classes)"] = lambda: cv2.dnn.softNMSBoxes(
            whole, scores, 0.001, 0.3, sigma=0.5, method=2
        )
    except (ImportError, AttributeError):
        print("no OpenCV here")
    try:
        theirs = import_module("ensemble_boxes")
        shares = [(boxes / 4096).astype(np.float64)]
        found["greedy: ensemble-boxes"] = lambda: theirs.nms(shares, [scores], [labels], iou_thr=0.5)
        found["soft: ensemble-boxes"] = lambda: theirs.soft_nms(
            shares, [scores], [labels], method=2, sigma=0.5
        )
        found["weighted: ensemble-boxes"] = lambda: theirs.non_maximum_weighted(
            shares, [scores], [labels], iou_thr=0.5
        )
        found["fusion: ensemble-boxes"] = lambda: theirs.weighted_boxes_fusion(
            [one.tolist() for one in shares], [scores.tolist()], [labels.tolist()], iou_thr=0.55
        )
    except ImportError:
        print("no ensemble-boxes here")
    try:
        ops = import_module("mmcv.ops")
        found["soft: mmcv"] = lambda: ops.batched_nms(
            *tensors, {"type": "soft_nms", "sigma": 0.5, "method": "gaussian", "min_score": 0.001}
        )
    except ImportError:
        print("no mmcv operators here")
    return found


def compare(
    name: str, boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, classes: int, repeats: int
) -> int:
    """Print one set; return how many musts are missed."""
    n, missed = len(boxes), 0
    ours: dict[str, Callable[[], Any]] = {
        f"{rule}: wsstool": lambda rule=rule: run(boxes, scores, labels=labels, method=rule)
        for rule in ("greedy", "soft", "weighted", "diou", "matrix", "fusion")
    }
    if compiled.loops(compiled.LEAST) is not None:

        def plain() -> None:
            compiled.enabled = False
            run(boxes, scores, labels=labels, method="soft")
            compiled.enabled = True

        ours["soft: wsstool, numpy alone"] = plain
    theirs = peers(boxes, scores, labels)
    for warm in [*ours.values(), *theirs.values()]:  # compilers, caches
        warm()
    quick = {k: f for k, f in theirs.items() if k.endswith(("torchvision", "opencv", "mmcv"))}
    times = best({**ours, **quick}, repeats)
    times |= best({k: f for k, f in theirs.items() if k not in quick}, 1)
    base = times["greedy: torchvision"]
    print(f"\n{name}: {n} boxes, {classes} classes; CPU ms, and times torchvision's greedy")
    for rule in ("greedy", "soft", "weighted", "diou", "matrix", "fusion"):
        for key in sorted((k for k in times if k.startswith(f"{rule}:")), key=lambda k: "wsstool" not in k):
            text = f"  {key:44s} {times[key]:9.2f} {times[key] / base:8.2f}"
            must = MUST.get((rule, n, classes))
            if key.endswith("wsstool") and must and name == "drawn":
                kept = times[key] / base <= must[0]
                missed += not kept
                text += f"   must {must[0]}: {'kept' if kept else 'MISSED'}, goal {must[1]}"
            if key.endswith("wsstool") and (other := times.get(f"{rule}: ensemble-boxes")):
                text += f"   {times[key] / other:.3f} of ensemble-boxes"
                if rule == "weighted" and n >= 10_000:
                    missed += times[key] / other > WEIGHTED
            print(text)
    return missed


def growth(quick: bool) -> None:
    """How greedy grows with the number of boxes, the canvas growing along or not."""
    print("\ngrowth of greedy, CPU ms (in brackets: per n log n, against 10,000)")
    for grow in (True, False):
        base = 0.0
        for n in (10_000, 100_000) if quick else (10_000, 100_000, 1_000_000):
            boxes, scores, labels = detections(n, 80, grow=grow)
            spent = best(
                {"": lambda b=boxes, s=scores, c=labels: run(b, s, labels=c)}, 3 if n < 1_000_000 else 1
            )[""]
            per = spent / (n * np.log(n))
            base = base or per
            print(f"  {n:9d} boxes, canvas {'grows' if grow else 'fixed'} {spent:10.1f}  ({per / base:.2f})")


def real(repeats: int) -> None:
    """Raw detections of real pictures, all images in one call against a loop over them."""
    folder = Path(os.environ.get("WSSTOOL_TEST_DATA", "")) / "data/nms_real"
    for path in sorted(folder.glob("*_raw_*.json")):
        rows = json.loads(path.read_text())
        xywh = np.array([row["bbox"] for row in rows], np.float32)
        boxes = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], 1)
        scores = np.array([row["score"] for row in rows], np.float32)
        images = np.array([row["image_id"] for row in rows])
        parts = [np.flatnonzero(images == k) for k in np.unique(images)]
        tensors = [(torch.from_numpy(boxes[p]), torch.from_numpy(scores[p])) for p in parts]
        times = best(
            {
                "greedy: wsstool": lambda b=boxes, s=scores, g=images: run(b, s, groups=g),
                "soft: wsstool": lambda b=boxes, s=scores, g=images: run(b, s, groups=g, method="soft"),
                "greedy: torchvision": lambda t=tensors: [torchvision.ops.nms(*one, 0.5) for one in t],
            },
            repeats,
        )
        print(f"\n{path.stem}: {len(rows)} boxes in {len(parts)} images; CPU ms, and times torchvision")
        for key, value in times.items():
            print(f"  {key:44s} {value:9.2f} {value / times['greedy: torchvision']:8.2f}")


def main() -> None:
    torch.set_num_threads(1)
    quick = "--quick" in sys.argv
    missed = 0
    for n, classes in ((100, 80), (1000, 80), (10_000, 80), (10_000, 1)):
        missed += compare("drawn", *detections(n, classes), classes, 3 if quick else 7)
    real(3)
    growth(quick)
    print(f"\n{missed} musts missed")


if __name__ == "__main__":
    main()
