"""What class maps cost against the plain forward passes in them: processor time, one thread, medians.

    python benchmarks/cams.py [--rounds 7]

The contestants take turns, so that a busy machine slows all of them alike; processor time does not count
the wait for others. The target is 1.1 x the plain forward for cam, and for gradcam at the last layer.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn
from torchvision import models

from wsstool.cams.multiscale import multiscale
from wsstool.registry import CAMS

NETWORKS: dict[str, tuple[Callable[..., nn.Module], str, str]] = {  # last layer, an earlier one
    "mobilenet-v2": (models.mobilenet_v2, "features.18", "features.13"),
    "resnet-50": (models.resnet50, "layer4", "layer3"),
}
CLASSES, PRESENT, BATCH, SIZE = 20, 3, 2, 224


def contestants(model: nn.Module, last: str, early: str) -> dict[str, tuple[Callable[[], object], float]]:
    """Name -> what to run, and how many plain forward passes of the batch it contains."""
    x = torch.randn(BATCH, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    targets = torch.zeros(BATCH, CLASSES, dtype=torch.bool)
    targets[:, :PRESENT] = True

    def run(name: str, *layers: str, **own: int) -> Callable[[], object]:
        method = CAMS.load(name)
        return lambda: method(model, x, targets, layers, **own)

    def plain() -> object:
        with torch.inference_mode():
            return model(x)

    scales = (0.5, 1.0)
    return {
        "plain forward": (plain, 1),
        f"cam, {PRESENT} classes": (run("cam", last), 1),
        "gradcam, last layer": (run("gradcam", last), 1),
        "gradcam++, last layer": (run("gradcam++", last), 1),
        "layercam, last layer": (run("layercam", last), 1),
        "gradcam, earlier layer": (run("gradcam", early), 1),
        "layercam, both layers": (run("layercam", last, early), 1),
        "scorecam, 8 channels": (run("scorecam", last, top_channels=8), 9),
        "cam, 2 scales and flip": (
            lambda: multiscale(CAMS.load("cam"), model, x, targets, (last,), scales=scales, flip=True),
            2 * sum(s * s for s in scales),
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    for arch, (build, last, early) in NETWORKS.items():
        torch.manual_seed(0)
        model = build(num_classes=CLASSES).eval()
        runs = contestants(model, last, early)
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for i in range(rounds + 1):
            for name, (run, _) in runs.items():
                start = time.process_time()
                run()
                if i:  # the first round warms up
                    seconds[name].append(time.process_time() - start)
        plain = statistics.median(seconds["plain forward"])
        print(f"{arch}, {SIZE} px, batch {BATCH}, 1 thread, median of {rounds}")
        for name, (_, forwards) in runs.items():
            own = statistics.median(seconds[name])
            print(f"  {name:24s} {1000 * own / BATCH:8.1f} ms an image {own / plain / forwards:6.2f} x plain")


if __name__ == "__main__":
    main()
