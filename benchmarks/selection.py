"""What choosing a mask for one object costs: seconds, beside the same greedy with drawn masks.

    python benchmarks/selection.py [--rounds 5]

A 320 x 320 photograph, a large box with about 1,600 proposals in it and an outline with gaps as the map. The
naive greedy dilates and erodes the union for every candidate of every step; it runs once. Both must choose
the same proposals.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
from scipy import ndimage
from skimage import data, transform

from wsstool.proposals.tree import tree
from wsstool.regions import Proposals
from wsstool.selection.selectors.candidates import candidates
from wsstool.selection.selectors.greedy import greedy

SIDE, WANTED, STEP_LIMIT = 320, 1600, 60


def scene() -> tuple[Proposals, np.ndarray, np.ndarray]:
    """Proposals of a photograph, the outline of a blob on it with gaps and clutter, and a box around it."""
    image = (transform.resize(data.astronaut(), (SIDE, SIDE)) * 255).astype(np.uint8)
    proposals = tree(image, spaces=("lab", "rgb", "hsv"), scale=20.0, min_size=20)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    blob = x**2 + (0.8 * y) ** 2 < 0.36**2 * (1 + 0.3 * np.sin(5 * np.arctan2(y, x)))
    rng = np.random.default_rng(0)
    noise = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 8)
    outline = ndimage.binary_dilation(blob) & ~ndimage.binary_erosion(blob)
    prior = (outline & (noise > -0.01)) | (noise > 0.075)
    box = np.array([8, 4, SIDE - 8, SIDE - 4], np.float32)
    found = candidates(proposals, box)
    kept = proposals.nodes.copy()
    numbers = np.flatnonzero(kept[:, 2] == 1)
    spare = np.setdiff1d(np.arange(len(numbers)), found.indices[:WANTED])
    kept[numbers[spare], 2] = 0  # nodes stay, but are no proposals
    return Proposals(proposals.superpixels, kept), prior.astype(np.float32), box


def naive(proposals: Proposals, prior: np.ndarray, box: np.ndarray) -> tuple[list[int], int]:
    """The published procedure, with masks; returns the chosen numbers and the steps."""
    found = candidates(proposals, box)
    area = found.cut(prior) >= 0.5
    masks = [np.where(found.pieces >= 0, column[found.pieces], False) for column in found.members.T]

    def on_contour(union: np.ndarray) -> int:
        values = union.view(np.uint8)
        edge = ndimage.maximum_filter(values, 3, mode="constant") > ndimage.minimum_filter(
            values, 3, mode="constant"
        )
        return int((edge & area).sum())

    scores = [on_contour(mask) for mask in masks]
    chosen, best, steps = [int(np.argmax(scores))], max(scores), 0
    while True:
        steps += 1
        union = np.any([masks[k] for k in chosen], axis=0)
        changes = [[j for j in chosen if j != k] for k in chosen if len(chosen) > 1]
        values = [on_contour(np.any([masks[k] for k in one], axis=0)) for one in changes]
        more = [k for k in range(len(masks)) if k not in chosen]
        changes += [[*chosen, k] for k in more]
        values += [on_contour(union | masks[k]) for k in more]
        k = int(np.argmax(values))
        if values[k] <= best or steps == STEP_LIMIT:
            return sorted(found.indices[chosen].tolist()), steps
        chosen, best = changes[k], values[k]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    proposals, prior, box = scene()
    n = len(candidates(proposals, box))
    print(f"{SIDE} x {SIDE} px, {n} proposals in the box, {proposals.n_superpixels} superpixels")
    times: dict[str, list[float]] = {"contour": [], "both": [], "f1": [], "region": []}
    for _ in range(rounds):
        for name, values in times.items():
            options = {"f1": True} if name == "f1" else {"guide": name}
            fresh = Proposals(proposals.superpixels, proposals.nodes)  # nothing worked out beforehand
            start = time.process_time()
            indices, _ = greedy(fresh, prior, box, **options)
            values.append(time.process_time() - start)
            if name == "contour":
                chosen = sorted(indices.tolist())
    for name, values in times.items():
        print(f"  greedy, {name:8} {statistics.median(values):7.3f} s")
    start = time.process_time()
    expected, steps = naive(proposals, prior, box)
    spent = time.process_time() - start
    print(
        f"  naive greedy     {spent:7.3f} s  x {spent / statistics.median(times['contour']):.0f}; "
        f"{steps} steps, {'the same' if expected == chosen else 'OTHER'} {len(chosen)} proposals"
    )


if __name__ == "__main__":
    main()
