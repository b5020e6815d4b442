"""The time of each corruption beside the package ``imagecorruptions-imaug``, in turn, on one thread.

    python benchmarks/corruptions.py [--size 224] [--repeats 5] [--only NAME ...]

Milliseconds of processor time per image, the least of several turns, summed over the five severities; a ratio
below 1 means that ours is faster. Each of ours is given its generator, since the package has a global one; to
make a generator takes 0.01 to 0.04 ms. The package needs OpenCV and numba (extra ``corruptions``); without
it only our own times are printed. Its glass blur is compiled by numba, which is not in the times.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from skimage import data, transform

from wsstool.corruptions import generator_of, selected
from wsstool.corruptions.levels import SEVERITIES
from wsstool.errors import MissingInputError
from wsstool.registry import CORRUPTIONS


def peer() -> Any:
    """The other package, or None."""
    try:
        import_module("cv2").setNumThreads(1)
        return import_module("imagecorruptions")
    except ImportError as error:
        print(f"imagecorruptions-imaug takes no part: {error}")
        return None


def best(functions: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Least CPU milliseconds of each, taken in turn so that all see the same machine."""
    found = dict.fromkeys(functions, float("inf"))
    for turn in range(repeats + 1):
        for name, function in functions.items():
            start = time.thread_time()
            function()
            if turn:  # the first fills caches and compiles
                found[name] = min(found[name], (time.thread_time() - start) * 1e3)
    return found


def contestants(name: str, image: np.ndarray, severity: int, other: Any) -> dict[str, Callable[[], Any]]:
    method, generator = CORRUPTIONS.load(name), generator_of(name, severity, "chelsea")
    found = {"ours": lambda: method(image, severity, generator)}
    if other is not None:
        theirs = name.replace("-", "_")
        found["peer"] = lambda: other.corrupt(image, severity, theirs)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=224, help="side of the image, in pixels")
    parser.add_argument("--repeats", type=int, default=5, help="turns, of which the fastest counts")
    parser.add_argument("--only", nargs="*", default=(), help="corruptions or groups")
    arguments = parser.parse_args()
    image = transform.resize(data.chelsea(), (arguments.size, arguments.size), anti_aliasing=True)
    image = (image * 255).astype(np.uint8)
    other = peer()
    print(f"{'ms for 5 images':20s} {'ours':>8s} {'peer':>8s} {'ratio':>6s}   ratio of each severity")
    for name in selected(arguments.only):
        try:
            times = [best(contestants(name, image, s, other), arguments.repeats) for s in SEVERITIES]
        except MissingInputError as error:
            print(f"{name:20s} {error}")
            continue
        ours = sum(one["ours"] for one in times)
        if other is None:
            print(f"{name:20s} {ours:8.1f}")
            continue
        theirs = sum(one["peer"] for one in times)
        each = " ".join(f"{one['ours'] / one['peer']:.2f}" for one in times)
        print(f"{name:20s} {ours:8.1f} {theirs:8.1f} {ours / theirs:6.2f}   {each}", flush=True)


if __name__ == "__main__":
    main()
