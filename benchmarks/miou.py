"""mIoU of a set of label maps: ours against torchmetrics, a plain bincount and a loop over classes.

    python benchmarks/miou.py [--images N] [--masks FOLDER]

Prints seconds and ratios, measured side by side on one thread. Without a folder the maps are blobs as
smooth as real masks; predictions are the truth moved by a few pixels.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from wsstool.metrics.confusion import ConfusionMatrix
from wsstool.metrics.segmentation import segmentation_scores

CLASSES, SHAPE = 21, (375, 500)
Pairs = list[tuple[np.ndarray, np.ndarray]]


def blobs(n: int) -> list[np.ndarray]:
    """Label maps with a few smooth regions and a void outline."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    found = []
    for _ in range(n):
        fields = np.stack([gaussian_filter(rng.standard_normal(SHAPE), 25) for _ in range(4)])
        labels = rng.integers(0, CLASSES, 4, dtype=np.uint8)[fields.argmax(axis=0)]
        top = np.sort(fields, axis=0)
        labels[top[-1] - top[-2] < 0.0005] = 255
        found.append(labels)
    return found


def masks(folder: Path, n: int) -> list[np.ndarray]:
    from PIL import Image

    paths = sorted(folder.glob("*.png"))[:n]
    sized = [np.array(Image.open(p).resize(SHAPE[::-1], Image.Resampling.NEAREST)) for p in paths]
    return [np.where(m == 255, m, m % CLASSES).astype(np.uint8) for m in sized]


def ours(pairs: Pairs) -> float:
    confusion = ConfusionMatrix(CLASSES)
    for prediction, truth in pairs:
        confusion.update(prediction, truth)
    return segmentation_scores(confusion.matrix).mean_iou


def plain_bincount(pairs: Pairs) -> float:
    total = np.zeros((CLASSES, CLASSES), np.int64)
    for prediction, truth in pairs:
        valid = truth != 255
        key = truth[valid].astype(np.int64) * CLASSES + prediction[valid]
        total += np.bincount(key, minlength=CLASSES**2).reshape(CLASSES, CLASSES)
    hit = np.diag(total)
    union = total.sum(0) + total.sum(1) - hit
    return float((hit[union > 0] / union[union > 0]).mean())


def loop_over_classes(pairs: Pairs) -> float:
    both, either = np.zeros(CLASSES), np.zeros(CLASSES)
    for prediction, truth in pairs:
        valid = truth != 255
        for c in range(CLASSES):
            p, t = (prediction == c) & valid, truth == c
            both[c] += np.count_nonzero(p & t)
            either[c] += np.count_nonzero(p | t)
    return float((both[either > 0] / either[either > 0]).mean())


def torchmetrics_jaccard(validate: bool) -> Callable[[Pairs], float]:
    import torch
    from torchmetrics.classification import MulticlassJaccardIndex

    torch.set_num_threads(1)

    def score(pairs: Pairs) -> float:
        metric = MulticlassJaccardIndex(CLASSES, ignore_index=255, validate_args=validate)
        for prediction, truth in pairs:
            metric.update(torch.from_numpy(prediction), torch.from_numpy(truth))
        return float(metric.compute())

    return score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--masks", type=Path, help="folder of PNG masks to measure on")
    options = parser.parse_args()
    truths = masks(options.masks, options.images) if options.masks else blobs(options.images)
    pairs = [(np.where((p := np.roll(t, 7, axis=1)) == 255, 0, p).astype(np.uint8), t) for t in truths]
    rivals: dict[str, Callable[[Pairs], float]] = {
        "wsstool": ours,
        "numpy bincount, masked, int64 keys": plain_bincount,
        "numpy loop over classes": loop_over_classes,
    }
    try:
        rivals["torchmetrics, validate_args=False"] = torchmetrics_jaccard(False)
        rivals["torchmetrics, default"] = torchmetrics_jaccard(True)
    except ImportError:
        print("torchmetrics is not installed: left out")
    seconds: dict[str, float] = {}
    for name, score in rivals.items():
        best = float("inf")
        for _ in range(3):
            start = time.perf_counter()
            miou = score(pairs)
            best = min(best, time.perf_counter() - start)
        seconds[name] = best
        print(f"{name:36} {best:8.3f} s  x{best / seconds['wsstool']:6.1f}  mIoU {miou:.6f}", flush=True)
    pixels = sum(t.size for _, t in pairs)
    print(f"wsstool: {pixels / seconds['wsstool'] / 1e9:.2f} G pixels a second")


if __name__ == "__main__":
    main()
