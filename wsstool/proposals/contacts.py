"""Adjacency of superpixels: which ones touch, along how many pixels, and the colour contrast there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Contacts:
    """The pairs of superpixels that touch, at edges or corners of pixels.

    Args:
        pairs: (E, 2) int64, lower number first, sorted.
        length: (E,) float64, number of neighbouring pixel pairs, over an edge or a corner.
        contrast: (E,) float64, mean colour distance of these pixel pairs.
    """

    pairs: np.ndarray
    length: np.ndarray
    contrast: np.ndarray


_STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))


def contacts(labels: np.ndarray, colours: np.ndarray) -> Contacts:
    """Find the contacts of a label map.

    Felzenszwalb's components are 8-connected, so corners count.

    Args:
        labels: (H, W) int, 0 to S - 1.
        colours: (H, W, C) float, in a perceptual colour space (Lab).
    """
    n = int(labels.max()) + 1
    keys, distances = [], []
    for dy, dx in _STEPS:
        here = (slice(None, -dy or None), slice(max(0, -dx), -dx if dx > 0 else None))
        there = (slice(dy, None), slice(max(0, dx), dx if dx < 0 else None))
        one, other = labels[here], labels[there]
        at = np.nonzero(one != other)
        a, b = one[at].astype(np.int64), other[at].astype(np.int64)
        keys.append(np.minimum(a, b) * n + np.maximum(a, b))
        distances.append(np.sqrt(((colours[here][at] - colours[there][at]) ** 2).sum(1)))
    key, inverse = np.unique(np.concatenate(keys), return_inverse=True)
    length = np.bincount(inverse, minlength=len(key)).astype(float)
    total = np.bincount(inverse, np.concatenate(distances), minlength=len(key))
    return Contacts(np.stack([key // n, key % n], 1), length, total / np.maximum(length, 1))
