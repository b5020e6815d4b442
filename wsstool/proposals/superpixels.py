"""Partitions of an image into superpixels: two ways to make them, one in terms of another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from wsstool.errors import BadInputError, UsageError
from wsstool.image_size import shrink, size_within

LARGEST_NUMBER = 65534
"""Superpixels and rows of one image together: node numbers are 16 bits wide, and 65535 is padding."""

MOST_SUPERPIXELS = 4000
"""Where a partition has more, it is made again, coarser: trees take time and memory by their number."""


def check_image(image: np.ndarray) -> None:
    """Raise BadInputError unless ``image`` is (H, W, 3) uint8 with at least one pixel."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise BadInputError(
            f"proposals need an RGB image of 8 bits, not {image.dtype} of shape {image.shape}"
        )


def within(image: np.ndarray, max_side: int) -> np.ndarray:
    """The image, or a smaller copy where its longer side has more than ``max_side`` pixels; 0: no limit."""
    if max_side < 0:
        raise UsageError(f"max-side {max_side}: pixels, or 0 for no limit")
    size = image.shape[0], image.shape[1]
    return shrink(image, size_within(size, max_side), "box") if max_side else image


def enlarged(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W) labels of the nearest pixel; no label is lost, since the map does not get smaller."""
    if labels.shape == size:
        return labels
    rows, columns = (
        np.minimum((np.arange(n) + 0.5) * m / n, m - 1).astype(np.intp)
        for n, m in zip(size, labels.shape, strict=True)
    )
    return labels[rows[:, None], columns]


def renumbered(labels: np.ndarray) -> np.ndarray:
    """The same partition, numbered from 0 in order of the labels, without gaps."""
    present = np.bincount(labels.reshape(-1)) > 0
    return (np.cumsum(present) - 1)[labels]


def felzenszwalb_map(image: np.ndarray, scale: float, sigma: float, min_size: int) -> np.ndarray:
    """Felzenszwalb and Huttenlocher's components, (H, W) int; 8-connected.

    Args:
        image: (H, W, C), any colour space, 0 to 255.
        scale: their k: larger components for larger values.
        sigma: of the Gaussian before, pixels.
        min_size: smaller components are merged in the end, pixels.
    """
    from skimage.segmentation import felzenszwalb

    if not (scale > 0 and sigma >= 0 and min_size >= 1):
        raise UsageError("felzenszwalb: scale above 0, sigma from 0, min-size at least 1")
    if min(image.shape[:2]) < 2:  # scikit-image wants two rows and columns
        doubled = np.repeat(np.repeat(image, 2, 0), 2, 1)
        return felzenszwalb_map(doubled, scale, sigma, min_size)[::2, ::2]
    return felzenszwalb(np.asarray(image, np.float64) / 255, scale=scale, sigma=sigma, min_size=min_size)


def slic_map(image: np.ndarray, segments: int, compactness: float) -> np.ndarray:
    """SLIC superpixels in Lab and place, (H, W) int; ``segments`` is about how many."""
    from skimage.segmentation import slic

    if segments < 1 or not compactness > 0:
        raise UsageError("slic: at least 1 segment, compactness above 0")
    return slic(image, n_segments=segments, compactness=compactness, start_label=0)


def coarse_enough(make: Callable[[int], np.ndarray]) -> np.ndarray:
    """The first of ``make(1)``, ``make(2)``, ``make(4)`` ... with at most ``MOST_SUPERPIXELS`` regions."""
    coarser = 1
    while True:
        labels = renumbered(make(coarser))
        if labels.max() < MOST_SUPERPIXELS or coarser > labels.size:
            return labels
        coarser *= 2


def snapped(labels: np.ndarray, fine: np.ndarray) -> np.ndarray:
    """Another partition in terms of superpixels: each goes where most of its pixels are.

    An overlay of both would be exact, but several thousand slivers are more than they are worth: every
    region of k superpixels takes k rows of a record.

    Args:
        labels: (H, W) int, from 0.
        fine: (H, W) int superpixels, 0 to S - 1.

    Returns:
        (S,) int64 regions from 0 without gaps; of equal shares the lower number wins.

    >>> snapped(np.array([[0, 0, 1, 1]]), np.array([[0, 0, 0, 1]]))
    array([0, 1])
    """
    n, m = int(fine.max()) + 1, int(labels.max()) + 1
    cells, counts = np.unique(fine.reshape(-1).astype(np.int64) * m + labels.reshape(-1), return_counts=True)
    order = np.lexsort((cells, -counts, cells // m))
    first = order[np.searchsorted((cells // m)[order], np.arange(n))]
    return renumbered(cells[first] % m)
