"""What windows cost: ``predict`` over a large picture against plain passes over the same windows.

    python benchmarks/scale/windows.py [--side 6144] [--arch deeplabv3-mobilenet-v2]

Processor time with one thread, and the peak of memory of ``predict`` for pictures of three sizes, each in a
process of its own. The target is 1.15 x the plain passes over the windows, reading, blending and writing
included, and a peak that does not grow with the area. The columns say how much more the overlap adds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
import torch

from wsstool.models.segmenter import build_segmenter
from wsstool.models.weights import load_weights, save_weights
from wsstool.models.windows.plan import plan_windows, windows_of
from wsstool.runtime import pick_device
from wsstool.stages.networks.segmenter import open_segmenter
from wsstool.stages.predict.predict import predict
from wsstool.types import ClassList

CLASSES = ["ground", "one", "two", "three"]


def picture(path: Path, side: int) -> None:
    """Write a square picture of noise in blocks, in tiles of 512 pixels."""
    rng = np.random.default_rng(0)
    block = np.kron(rng.integers(0, 256, (64, 64, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    count = (-(-side // 512)) ** 2
    tifffile.imwrite(
        path, (block for _ in range(count)), shape=(side, side, 3), dtype=np.uint8, tile=(512, 512),
        photometric="rgb", compression="zlib",
    )  # fmt: skip


def plain(weights: Path, side: int) -> float:
    """Seconds of processor time of the network alone over the windows."""
    device = pick_device("cpu")  # also sets up the allocator, as in the stage
    trained = open_segmenter(weights, device, ClassList(tuple(CLASSES)), loaded=load_weights(weights))
    windows = plan_windows(None, None, multiple=trained.input_multiple)
    sizes = [window.size for window in windows_of(windows, (side, side))]
    x = torch.zeros(1, 3, windows.window, windows.window, dtype=torch.uint8)
    trained.probabilities(x)
    start = time.process_time()
    for rows, columns in sizes:
        trained.probabilities(x[..., :rows, :columns])
    return time.process_time() - start


def measured(folder: Path, side: int, arch: str) -> dict[str, float]:
    """Times and peak of one picture, in this process."""
    torch.set_num_threads(1)
    weights, data = folder / "seg.pth", folder / f"{side}"
    found = {"plain": plain(weights, side)}
    start = time.process_time()
    predict(data, weights=weights, output=folder / f"{side}.h5", force=True, window=1024)
    found["windows"] = time.process_time() - start
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    found["peak"] = int(peak.split()[1]) / 1024
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=6144)
    parser.add_argument("--arch", default="deeplabv3-mobilenet-v2")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measured(Path(given.folder), given.one, given.arch)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        meta = {
            "task": "segmentation", "arch": given.arch, "classes": CLASSES, "class_ids": [0, 1, 2, 3],
            "background": 0, "mean": [0.5] * 3, "std": [0.25] * 3, "palette": [],
        }  # fmt: skip
        save_weights(folder / "seg.pth", build_segmenter(given.arch, len(CLASSES)).state_dict(), meta)
        print("   side  plain passes s  predict s  ratio  overlap adds  peak MiB")
        for side in (given.side // 4, given.side // 2, given.side):
            (folder / f"{side}").mkdir()
            picture(folder / f"{side}" / "a.tif", side)
            done = subprocess.run(
                [sys.executable, __file__, "--one", str(side), "--folder", name, "--arch", given.arch],
                capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
            )  # fmt: skip
            row = json.loads(done.stdout)
            seen = sum(r * c for r, c in (w.size for w in windows_of(plan_windows(None, None), (side, side))))
            print(
                f"{side:7d} {row['plain']:15.1f} {row['windows']:10.1f} {row['windows'] / row['plain']:6.2f} "
                f"{seen / side**2 - 1:12.0%} {row['peak']:9.0f}"
            )


if __name__ == "__main__":
    main()
