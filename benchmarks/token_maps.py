"""What token maps cost against the plain forward pass: processor time, one thread, medians of ratios.

    python benchmarks/token_maps.py [--rounds 15] [--arch fan-micro --arch fan-tiny]

The plain pass and the maps take turns, so that a busy machine slows both alike; processor time does not count
the wait for others. The target is 1.1 x the plain forward; the last row shows an image that has to be padded.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from wsstool.cams.multiscale import multiscale
from wsstool.cams.token import token
from wsstool.models.fan.sizes import SIZES
from wsstool.models.fan_classifier import FanClassifier, build_fan_classifier

CASES = (("logits", 20, 224), ("probability", 20, 224), ("probability", 1000, 224), ("probability", 20, 216))
"""Values of the maps, classes, and rows and columns of the image."""

BATCH = 2


def ratio(model: FanClassifier, x: Tensor, values: str, rounds: int) -> tuple[float, float]:
    """Median seconds of a plain pass, and of the maps divided by it."""
    targets = torch.ones(len(x), model.head.head.out_features, dtype=torch.bool)
    method = partial(token, single_label=True, values=values)

    def plain() -> None:
        with torch.inference_mode():
            model(x)

    def maps() -> None:
        multiscale(method, model, x, targets)

    plain()
    maps()
    pairs = [(_seconds(plain), _seconds(maps)) for _ in range(rounds)]
    return statistics.median(a for a, _ in pairs), statistics.median(b / a for a, b in pairs)


def _seconds(run: Callable[[], None]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--arch", action="append", choices=list(SIZES))
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"batches of {BATCH}, 1 thread, medians of {options.rounds}")
    for arch in options.arch or ["fan-micro", "fan-tiny"]:
        for values, classes, side in CASES:
            torch.manual_seed(0)
            model = build_fan_classifier(arch, classes, token_head=True).eval()
            x = torch.randn(BATCH, 3, side, side, generator=torch.Generator().manual_seed(0))
            plain, times = ratio(model, x, values, options.rounds)
            print(
                f"  {arch:10s} {side} px, {classes:4d} classes, {values:11s}  plain "
                f"{1000 * plain / BATCH:6.1f} ms per image, maps {times:.3f} x plain"
            )


if __name__ == "__main__":
    main()
