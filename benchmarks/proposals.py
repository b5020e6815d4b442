"""Processor seconds an image of each method of proposals on one core, beside what others take for less.

Beside ours runs OpenCV's selective search "fast" where the ``opencv`` extra is installed (it gives boxes, not
regions), and otherwise the same merge tree by the plain loop of published Python code: after each merge all
similarities are looked through for the largest. Run: ``python benchmarks/proposals.py [PICTURE ...]``.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from PIL import Image

from wsstool.proposals.contacts import contacts
from wsstool.proposals.histograms import colour_histograms, in_space, lab
from wsstool.proposals.superpixels import felzenszwalb_map, renumbered
from wsstool.regions import superpixel_boxes
from wsstool.registry import PROPOSALS

SIZE = 320


def pictures(paths: list[str]) -> list[np.ndarray]:
    """Pictures of 320 x 320; without any named, those that come with scikit-image."""
    if paths:
        found = [Image.open(path).convert("RGB") for path in paths]
    else:
        from skimage import data

        found = [Image.fromarray(one()) for one in (data.astronaut, data.coffee, data.chelsea)]
    return [np.asarray(one.resize((SIZE, SIZE))) for one in found]


def naive_tree(image: np.ndarray) -> int:
    """The default's superpixels and two trees, merged without a heap; the number of regions."""
    labels = renumbered(felzenszwalb_map(image, 50, 0.8, 30))
    areas, boxes = np.bincount(labels.reshape(-1)).tolist(), superpixel_boxes(labels).tolist()
    pairs = contacts(labels, lab(image)).pairs.tolist()
    count = len(areas)
    for space in ("lab", "rgb"):
        count += naive_merging(pairs, areas, boxes, colour_histograms(labels, in_space(image, space)))
    return count


def naive_merging(pairs: list, areas: list, boxes: list, histograms: np.ndarray) -> int:
    """Merges until one region is left."""
    regions = {i: (areas[i], boxes[i], histograms[i]) for i in range(len(areas))}
    total = sum(areas)

    def similarity(a: int, b: int) -> float:
        (n, (x0, y0, x1, y1), g), (m, (u0, v0, u1, v1), h) = regions[a], regions[b]
        extent = (max(x1, u1) - min(x0, u0)) * (max(y1, v1) - min(y0, v0))
        return np.minimum(g, h).sum() + 2 - (n + m) / total - (extent - n - m) / total

    similar = {(a, b): similarity(a, b) for a, b in pairs}
    merges = 0
    while similar:
        a, b = max(similar, key=lambda pair: similar[pair])
        (n, (x0, y0, x1, y1), g), (m, (u0, v0, u1, v1), h) = regions[a], regions[b]
        new = len(areas) + merges
        box = [min(x0, u0), min(y0, v0), max(x1, u1), max(y1, v1)]
        regions[new] = (n + m, box, (n * g + m * h) / (n + m))
        around = {c for pair in similar if a in pair or b in pair for c in pair} - {a, b}
        similar = {pair: s for pair, s in similar.items() if a not in pair and b not in pair}
        similar |= {(c, new): similarity(c, new) for c in around}
        merges += 1
    return merges


def opencv_boxes(image: np.ndarray) -> int:
    """OpenCV's selective search, fast mode; the number of boxes."""
    import cv2

    cv2.setNumThreads(1)
    search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    search.setBaseImage(np.ascontiguousarray(image[:, :, ::-1]))
    search.switchToSelectiveSearchFast()
    return len(search.process())


def seconds(make: Callable[[np.ndarray], object], images: list[np.ndarray], rounds: int) -> list[float]:
    """The best of some rounds for each image: what else the machine does only adds."""
    make(images[0])
    found = []
    for image in images:
        times = []
        for _ in range(rounds):
            start = time.process_time()
            make(image)
            times.append(time.process_time() - start)
        found.append(min(times))
    return found


def main() -> None:
    """Print one line a method: median and largest seconds an image, and how many proposals."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", nargs="*", help="default: three that come with scikit-image")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    images = pictures(options.pictures)
    methods: dict[str, Callable[[np.ndarray], object]] = {name: PROPOSALS.load(name) for name in PROPOSALS}
    try:
        import cv2  # noqa: F401

        methods["OpenCV selective search fast"] = opencv_boxes
    except ImportError:
        methods["tree, plain loop"] = naive_tree
    print(f"{len(images)} pictures of {SIZE} x {SIZE}, one core, best of {options.rounds}")
    for name, make in methods.items():
        taken = seconds(make, images, options.rounds)
        found = [make(one) for one in images]
        count = np.mean([one if isinstance(one, int) else len(one) for one in found])  # type: ignore[arg-type]
        line = f"{name:28}  median {np.median(taken):.3f} s  most {max(taken):.3f} s"
        print(f"{line}  {count:.0f} regions", flush=True)


if __name__ == "__main__":
    main()
