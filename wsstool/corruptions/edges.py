"""Canny edges, distances to them and the equalisation of a histogram: the parts of the water drops."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

TAN_22 = 13573  #: tangent of 22.5 degrees times 2^15


def canny(image: np.ndarray, low: int, high: int) -> np.ndarray:
    """Find edges: ridges of the gradient above ``low`` that are connected to one above ``high``.

    The gradient is that of 3 x 3 Sobel masks, its size |gx| + |gy|; ridges are looked for along one of four
    directions; connected is 8-connected.

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
    values = image.astype(np.int32)
    gx, gy = ndimage.sobel(values, 1, mode="nearest"), ndimage.sobel(values, 0, mode="nearest")
    size = np.pad(np.abs(gx) + np.abs(gy), 1).ravel()  # no gradient outside
    width = image.shape[1] + 2
    rows, columns = np.nonzero(size.reshape(-1, width)[1:-1, 1:-1] > low)
    at = (rows + 1) * width + columns + 1
    x, y = gx[rows, columns].astype(np.int64), gy[rows, columns].astype(np.int64)
    flat, steep = np.abs(x) * TAN_22, np.abs(y) << 15
    along_row = steep < flat
    along_column = steep > flat + (np.abs(x) << 16)
    step = np.where((x ^ y) < 0, width - 1, width + 1)
    step[along_row], step[along_column] = 1, width
    here, after = size[at], size[at + step]
    straight = along_row | along_column
    ridge = (here > size[at - step]) & ((here > after) | straight & (here == after))
    candidates = np.zeros(image.shape, bool)
    candidates[rows[ridge], columns[ridge]] = True
    regions, count = ndimage.label(candidates, np.ones((3, 3)))
    followed = np.zeros(count + 1, bool)
    strong = ridge & (here > high)
    followed[regions[rows[strong], columns[strong]]] = True
    return followed[regions]


def distance_to(edges: np.ndarray) -> np.ndarray:
    """Measure how far each pixel is from the nearest edge, in steps of a 5 x 5 chamfer mask.

    A step along an axis counts 1, a diagonal one 1.4, one of a knight 2.1969; at most 2 % from Euclid's.

    Args:
        edges: (H, W) bool, at least one true.
    Returns:
        (H, W) float64, in pixels.

    Notes:
        The length of the shortest path to the pixel that is nearest in Euclid's sense. Far from all edges
        another one may be reached in fewer steps.

    Source:
        Borgefors, CVGIP 1986. Written from the paper.
    """
    nearest = ndimage.distance_transform_edt(~edges, return_distances=False, return_indices=True)
    rows, columns = (np.arange(size, dtype=nearest.dtype) for size in edges.shape)
    down, right = np.abs(nearest[0] - rows[:, None]), np.abs(nearest[1] - columns)
    long, short = np.maximum(down, right), np.minimum(down, right)
    mostly_straight = 2.1969 * short + (long - 2 * short)
    mostly_diagonal = 2.1969 * (long - short) + 1.4 * (2 * short - long)
    return np.where(2 * short <= long, mostly_straight, mostly_diagonal)


def equalised(image: np.ndarray) -> np.ndarray:
    """Spread grey levels so that each range of them holds as many pixels as any other.

    Args:
        image: (H, W) uint8.
    Returns:
        (H, W) uint8; the darkest level becomes 0, the brightest 255. An image of one level is left as it is.

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
