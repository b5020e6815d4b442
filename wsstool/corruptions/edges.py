"""Canny edges, distances to edges and histogram equalisation, used by ``spatter``."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import ndimage

TAN_22 = 13573  #: tangent of 22.5 degrees times 2^15
FAR = 20  #: pixels; larger distances count as this


def canny(image: np.ndarray, low: int, high: int) -> np.ndarray:
    """Find edges: ridges of the gradient above ``low`` that are connected to one above ``high``.

    The gradient comes from 3 x 3 Sobel filters, with magnitude |gx| + |gy|; ridges are searched along one of
    four directions; connectivity is 8.

    Args:
        image: (H, W) uint8.
        low: threshold of an edge, in units of the gradient.
        high: threshold of a pixel from which an edge is followed.
    Returns:
        (H, W) bool.

    Notes:
        Equal to ``cv2.Canny`` with an aperture of 3, in whole numbers, ties included.

    Source:
        Canny, PAMI 1986. Written from the paper; ties as OpenCV documents and shows them.
    """
    gx, gy = _sobel(image)
    across, down = np.abs(gx), np.abs(gy)
    padded = np.pad(across + down, 1)  # no gradient outside
    height, width = image.shape

    def neighbour(dy: int, dx: int) -> np.ndarray:
        return padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]

    size = neighbour(0, 0)
    flat, steep = across * TAN_22, down << 15
    ridges = {
        "row": (size > neighbour(0, -1)) & (size >= neighbour(0, 1)),
        "column": (size > neighbour(-1, 0)) & (size >= neighbour(1, 0)),
        "falling": (size > neighbour(-1, -1)) & (size > neighbour(1, 1)),
        "rising": (size > neighbour(-1, 1)) & (size > neighbour(1, -1)),
    }
    diagonal = np.where((gx ^ gy) < 0, ridges["rising"], ridges["falling"])
    upright = np.where(steep > flat + (across << 16), ridges["column"], diagonal)
    ridge = np.where(steep < flat, ridges["row"], upright) & (size > low)
    regions, count = ndimage.label(ridge, np.ones((3, 3)))
    followed = np.zeros(count + 1, bool)
    followed[regions[ridge & (size > high)]] = True
    return followed[regions]


def _sobel(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradient along rows and along columns, int32; edge pixels repeat beyond the border."""
    padded = np.pad(image.astype(np.int32), 1, "edge")
    along_row = padded[:, 2:] - padded[:, :-2]
    along_column = padded[2:] - padded[:-2]
    return (
        along_row[:-2] + 2 * along_row[1:-1] + along_row[2:],
        along_column[:, :-2] + 2 * along_column[:, 1:-1] + along_column[:, 2:],
    )


def distance_to(edges: np.ndarray) -> np.ndarray:
    """Compute the distance of each pixel to the nearest edge with a 5 x 5 chamfer mask, up to ``FAR``.

    A step along an axis has length 1, a diagonal step 1.4, a knight's move 2.1969: within 2 % of the
    Euclidean distance.

    Args:
        edges: (H, W) bool.
    Returns:
        (H, W) float32, in pixels, [0, FAR].

    Source:
        Borgefors, CVGIP 1986. Written from the paper.

    Example:
        >>> distance_to(np.array([[True, False, False], [False] * 3])).tolist()
        [[0.0, 1.0, 2.0], [1.0, 1.399999976158142, 2.196899890899658]]
    """
    height, width = edges.shape
    columns = np.arange(width, dtype=np.int32)
    before = np.maximum.accumulate(np.where(edges, columns, -FAR), axis=1)
    after = np.minimum.accumulate(np.where(edges, columns, width + FAR)[:, ::-1], axis=1)[:, ::-1]
    in_row = np.minimum(np.minimum(columns - before, after - columns), FAR).astype(np.intp)
    lengths = _chamfer()
    best = lengths[0].take(in_row)
    for rows in range(1, min(FAR, height)):  # the best of the edges that are so many rows away
        found = lengths[rows].take(in_row)
        np.minimum(best[rows:], found[:-rows], out=best[rows:])
        np.minimum(best[:-rows], found[rows:], out=best[:-rows])
    return best


@cache
def _chamfer() -> np.ndarray:
    """Return the length of the path to each offset (rows, columns), both 0 to ``FAR``."""
    steps = np.arange(FAR + 1)
    long, short = np.maximum(steps[:, None], steps), np.minimum(steps[:, None], steps)
    mostly_straight = 2.1969 * short + (long - 2 * short)
    mostly_diagonal = 2.1969 * (long - short) + 1.4 * (2 * short - long)
    lengths = np.where(2 * short <= long, mostly_straight, mostly_diagonal)
    return np.minimum(lengths, FAR).astype(np.float32)


def equalised(image: np.ndarray) -> np.ndarray:
    """Equalise the histogram of an image.

    Args:
        image: (H, W) uint8.
    Returns:
        (H, W) uint8; the darkest level becomes 0, the brightest 255. An image of one level is unchanged.

    Example:
        >>> equalised(np.uint8([[3, 3, 4, 9]])).tolist()
        [[0, 0, 128, 255]]
    """
    counts = np.bincount(image.ravel(), minlength=256)
    darkest = counts[np.flatnonzero(counts)[0]]
    if darkest == image.size:
        return image
    below = np.cumsum(counts) - darkest
    return np.rint(below * (255 / (image.size - darkest))).astype(np.uint8)[image]
