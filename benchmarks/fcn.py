"""What FCN-8s costs over its trunk (conv1 to fc7): processor time, medians.

    python benchmarks/fcn.py [--rounds 5] [--size 320 480] [--threads 1]

The contestants take turns, so that a busy machine slows all of them alike; processor time does not count
the wait for others. The target is 1.05 x. Beside it, the upsampling alone in both forms: fixed, by two narrow
matrices, and as the transposed convolution that learned weights need.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from types import SimpleNamespace

import torch

from wsstool.models.heads.fcn import build_fcn
from wsstool.models.heads.upscore import Upscore

CLASSES = 21


def contestants(height: int, width: int) -> dict[str, Callable[[], object]]:
    """Name -> what to run."""
    x = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    network = build_fcn("fcn8s", "vgg-16", CLASSES).eval()
    layers = [tap.layer for tap in network.taps]
    with torch.no_grad():
        maps, scores = network.backbone.features_of(x, layers), network.class_maps(x)
    head = copy.copy(network)
    object.__setattr__(head, "backbone", SimpleNamespace(features_of=lambda *_: maps))
    fixed, learned = network.get_submodule("upscore8"), Upscore(CLASSES, 8, 16)
    learned.weight.data[0, 1] = 1e-3  # no longer bilinear: the general form
    window = ((31, height), (31, width))
    runs: dict[str, Callable[[], object]] = {
        "trunk, conv1 to fc7": lambda: network.backbone(x),
        "FCN-8s": lambda: network(x),
        "FCN-8s without trunk": lambda: head(x),
        "upscore8, fixed": lambda: fixed(scores, *window),
        "upscore8, learned": lambda: learned(scores, *window),
    }

    def without_graph(run: Callable[[], object]) -> Callable[[], object]:
        def timed() -> object:
            with torch.inference_mode():
                return run()

        return timed

    return {name: without_graph(run) for name, run in runs.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, nargs=2, default=(320, 480), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    runs = contestants(*options.size)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for i in range(options.rounds + 1):
        for name, run in runs.items():
            start = time.process_time()
            run()
            if i:  # the first round warms up
                seconds[name].append(time.process_time() - start)
    trunk = statistics.median(seconds["trunk, conv1 to fc7"])
    height, width = options.size
    print(f"{height} x {width}, {CLASSES} classes, {options.threads} thread(s), median of {options.rounds}")
    for name, values in seconds.items():
        own = statistics.median(values)
        print(f"  {name:22s} {1000 * own:9.1f} ms {own / trunk:7.4f} x trunk")


if __name__ == "__main__":
    main()
