"""What the dense CRF costs an image, medians, beside other ways to compute it.

    python benchmarks/crf.py [--rounds 3] [--threads 1]

``label by label`` filters on the same lattice with ``np.bincount``, one label after the other: what one
writes first. ``pydensecrf`` takes part where it can be imported (it needs a compiler to install). The
contestants take turns; all marginals are compared. Processor time, which a busy machine leaves alone; with
more than one thread the time that passes, since waiting threads use the processor too.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from skimage import data, transform

from wsstool.masks.crf import PRESETS, crf
from wsstool.masks.permutohedral import Permutohedral
from wsstool.masks.resize import resize

HEIGHT, WIDTH, STEPS, SCALE = 320, 480, 10, 5.0


def picture() -> np.ndarray:
    return (transform.resize(data.astronaut(), (HEIGHT, WIDTH)) * 255).astype(np.uint8)


def scores(labels: int) -> np.ndarray:
    """(labels, H, W) smooth maps in [0, 1], as a network's are."""
    coarse = np.random.default_rng(0).random((labels, 20, 30), np.float32)
    return resize(coarse, (HEIGHT, WIDTH))


def label_by_label(maps: np.ndarray, image: np.ndarray, setting: tuple[float, ...]) -> np.ndarray:
    """The same model, with a loop over the labels."""
    a, b, bilateral, g, gaussian = setting
    places = np.mgrid[:HEIGHT, :WIDTH].reshape(2, -1)[::-1].astype(np.float32)
    colours = image.reshape(-1, 3).T.astype(np.float32)
    features = [(gaussian, places / g), (bilateral, np.concatenate([places / a, colours / b]))]
    kernels = [(weight, Loop(Permutohedral(torch.from_numpy(f), normalised=True))) for weight, f in features]
    energy = SCALE * maps.reshape(len(maps), -1)
    q = np.exp(energy) / np.exp(energy).sum(0)
    for _ in range(STEPS):
        total = energy.copy()
        for weight, kernel in kernels:
            for k, row in enumerate(q):
                total[k] += weight * kernel.filter(row)
        q = np.exp(total - total.max(0))
        q /= q.sum(0)
    return q.reshape(maps.shape)


class Loop:
    """A lattice that filters one label."""

    def __init__(self, lattice: Permutohedral) -> None:
        self.corner, self.weights = lattice._corner.numpy(), lattice._weights.numpy()
        self.neighbours, self.size = [pair.numpy() for pair in lattice._neighbours], lattice.size

    def filter(self, row: np.ndarray) -> np.ndarray:
        spread = (self.weights * row[:, None]).ravel()
        corners = np.bincount(self.corner.ravel(), spread, self.size + 1)
        for pair in self.neighbours:
            corners[:-1] += corners[pair].sum(1) / 2
        return (corners[self.corner] * self.weights).sum(1)


def by_pydensecrf(maps: np.ndarray, image: np.ndarray, setting: tuple[float, ...]) -> np.ndarray:
    from pydensecrf.densecrf import DenseCRF2D

    a, b, bilateral, g, gaussian = setting
    model = DenseCRF2D(WIDTH, HEIGHT, len(maps))
    model.setUnaryEnergy(np.ascontiguousarray(-SCALE * maps.reshape(len(maps), -1)))
    model.addPairwiseGaussian(sxy=g, compat=gaussian)
    model.addPairwiseBilateral(sxy=a, srgb=b, rgbim=np.ascontiguousarray(image), compat=bilateral)
    return np.array(model.inference(STEPS)).reshape(maps.shape)


def contestants(maps: np.ndarray, image: np.ndarray, preset: str) -> dict[str, Callable[[], np.ndarray]]:
    own = PRESETS[preset]
    setting = tuple(own.values())
    found = {
        "wsstool": lambda: crf(maps, image, **own, logit_scale=SCALE, steps=STEPS),
        "label by label": lambda: label_by_label(maps, image, setting),
    }
    try:
        import pydensecrf.densecrf  # noqa: F401
    except ImportError:
        return found
    return {**found, "pydensecrf": lambda: by_pydensecrf(maps, image, setting)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    rounds, threads = vars(parser.parse_args()).values()
    torch.set_num_threads(threads)
    clock = time.process_time if threads == 1 else time.perf_counter
    image = picture()
    for labels in (4, 21):
        for preset in ("deeplab", "irn"):
            runs = contestants(scores(labels), image, preset)
            results = {name: run() for name, run in runs.items()}  # also warms up
            times: dict[str, list[float]] = {name: [] for name in runs}
            for _ in range(rounds):
                for name, run in runs.items():
                    start = clock()
                    run()
                    times[name].append(clock() - start)
            print(f"{WIDTH} x {HEIGHT} px, {labels} labels, {preset}, {threads} thread(s)")
            base = statistics.median(times["wsstool"])
            ours = results["wsstool"]
            for name, values in times.items():
                median = statistics.median(values)
                equal = (results[name].argmax(0) == ours.argmax(0)).mean()
                largest = np.abs(results[name] - ours).max()
                print(
                    f"  {name:16} {median:6.2f} s  x {median / base:4.1f}"
                    f"   labels equal {100 * equal:6.2f} %, marginals within {largest:.0e}"
                )


if __name__ == "__main__":
    main()
