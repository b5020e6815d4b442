"""Partitions of an image into superpixels: two algorithms, and one partition expressed in another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from wsstool.errors import BadInputError, UsageError
from wsstool.image_size import shrink, size_within

LARGEST_NUMBER = 65534
"""Maximum of superpixels plus rows of one image: node numbers are 16 bits wide, and 65535 is padding."""

MOST_SUPERPIXELS = 4000
"""Partitions with more superpixels are recomputed, coarser: time and memory of trees grow with the number."""


def check_image(image: np.ndarray) -> None:
    """Raise BadInputError unless ``image`` is (H, W, 3) uint8 with at least one pixel."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise BadInputError(f"proposals need an 8-bit RGB image, not {image.dtype} of shape {image.shape}")


def within(image: np.ndarray, max_side: int) -> np.ndarray:
    """Return the image, reduced if its longer side exceeds ``max_side`` pixels; 0: no limit."""
    if max_side < 0:
        raise UsageError(f"max-side {max_side}: give a number of pixels, or 0 for no limit")
    size = image.shape[0], image.shape[1]
    return shrink(image, size_within(size, max_side), "box") if max_side else image


def enlarged(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Enlarge labels to (H, W) by nearest neighbour; no label is lost, since the map does not shrink."""
    if labels.shape == size:
        return labels
    rows, columns = (
        np.minimum((np.arange(n) + 0.5) * m / n, m - 1).astype(np.intp)
        for n, m in zip(size, labels.shape, strict=True)
    )
    return labels[rows[:, None], columns]


def renumbered(labels: np.ndarray) -> np.ndarray:
    """Renumber the partition from 0, in order of the labels, without gaps."""
    present = np.bincount(labels.reshape(-1)) > 0
    return (np.cumsum(present) - 1)[labels]


def felzenszwalb_map(image: np.ndarray, scale: float, sigma: float, min_size: int) -> np.ndarray:
    """Return Felzenszwalb and Huttenlocher's components, (H, W) int; 8-connected.

    Args:
        image: (H, W, C), any colour space, 0 to 255.
        scale: their k: larger values give larger components.
        sigma: of the Gaussian smoothing, pixels.
        min_size: smaller components are merged at the end, pixels.
    """
    from skimage.segmentation import felzenszwalb

    if not (scale > 0 and 0 <= sigma <= 100 and 1 <= min_size < 1 << 31):
        raise UsageError("felzenszwalb: give scale above 0, sigma in [0, 100], min-size in [1, 2^31)")
    if min(image.shape[:2]) < 2:  # scikit-image needs two rows and columns
        doubled = np.repeat(np.repeat(image, 2, 0), 2, 1)
        return felzenszwalb_map(doubled, scale, sigma, min_size)[::2, ::2]
    return felzenszwalb(np.asarray(image, np.float64) / 255, scale=scale, sigma=sigma, min_size=min_size)


def slic_map(image: np.ndarray, segments: int, compactness: float) -> np.ndarray:
    """Return SLIC superpixels in Lab and position, (H, W) int; ``segments`` is their approximate number."""
    from skimage.segmentation import slic

    if not 1 <= segments < 1 << 31 or not 1e-6 <= compactness <= 1e6:
        raise UsageError("slic: give at least 1 segment and compactness in [1e-6, 1e6]")
    return slic(image, n_segments=segments, compactness=compactness, start_label=0)


def coarse_enough(make: Callable[[int], np.ndarray]) -> np.ndarray:
    """Return the first of ``make(1)``, ``make(2)``, ``make(4)`` ... with <= ``MOST_SUPERPIXELS`` regions."""
    coarser = 1
    while True:
        labels = renumbered(make(coarser))
        if labels.max() < MOST_SUPERPIXELS or coarser > labels.size:
            return labels
        coarser *= 2


def snapped(labels: np.ndarray, fine: np.ndarray) -> np.ndarray:
    """Express a partition in superpixels: assign each to the region that holds most of its pixels.

    An overlay of both would be exact, but gives several thousand slivers, and every region of k superpixels
    takes k rows of a record.

    Args:
        labels: (H, W) int, from 0.
        fine: (H, W) int superpixels, 0 to S - 1.

    Returns:
        (S,) int64 regions from 0 without gaps; ties go to the lower number.

    >>> snapped(np.array([[0, 0, 1, 1]]), np.array([[0, 0, 0, 1]]))
    array([0, 1])
    """
    n, m = int(fine.max()) + 1, int(labels.max()) + 1
    cells, counts = np.unique(fine.reshape(-1).astype(np.int64) * m + labels.reshape(-1), return_counts=True)
    order = np.lexsort((cells, -counts, cells // m))
    first = order[np.searchsorted((cells // m)[order], np.arange(n))]
    return renumbered(cells[first] % m)
