"""Overlap measures of boxes by name: aligned or broadcast, in the precision of the coordinates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

#: x1, y1, x2, y2 and area, each an array; the arrays of two boxes broadcast against each other.
Sides = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def sides(boxes: np.ndarray, plus_one: bool = False) -> Sides:
    """Return the columns of (N, 4) boxes and their areas.

    ``plus_one`` is the pixel-inclusive convention, in which x2 and y2 are the last pixel of the box: every
    width, height and overlap is one larger. Implemented as the plain convention with x2 and y2 plus one, in
    float64, which is exact for float32 coordinates.
    """
    boxes = boxes.astype(np.float64) if plus_one else boxes
    x1, y1, x2, y2 = (np.ascontiguousarray(column) for column in boxes.T[:4])
    if plus_one:
        x2, y2 = x2 + 1, y2 + 1
    return x1, y1, x2, y2, (x2 - x1) * (y2 - y1)


def intersection(a: Sides, b: Sides) -> np.ndarray:
    """Return the area that two boxes share, at least 0."""
    width = _shared(a[0], a[2], b[0], b[2])
    height = _shared(a[1], a[3], b[1], b[3])
    width *= height
    return width


def _shared(a1: np.ndarray, a2: np.ndarray, b1: np.ndarray, b2: np.ndarray) -> np.ndarray:
    """Return the shared length of two intervals: max(end, start) - start; a maximum with 0 is 4 x as slow."""
    start = np.maximum(a1, b1)
    end = np.minimum(a2, b2)
    np.maximum(end, start, out=end)
    end -= start
    return end


def _ratio(over: np.ndarray, under: np.ndarray) -> np.ndarray:
    """Divide ``over`` by ``under`` in place, 0 where both are 0: two empty boxes do not overlap."""
    with np.errstate(invalid="ignore", divide="ignore"):
        over /= under
    if np.isnan(over.sum()):
        over[~(under > 0)] = 0
    return over


def iou(a: Sides, b: Sides) -> np.ndarray:
    """Return the intersection over union, [0, 1]; 0 for two empty boxes.

    >>> box = np.array([[0, 0, 10, 10], [0, 0, 10, 8]], np.float64)
    >>> iou(sides(box[:1]), sides(box[1:]))
    array([0.8])
    >>> iou(sides(box[:1], True), sides(box[1:], True)).round(4)
    array([0.8182])
    """
    shared = intersection(a, b)
    union = a[4] + b[4]
    union -= shared
    return _ratio(shared, union)


def ios(a: Sides, b: Sides) -> np.ndarray:
    """Return the intersection over the smaller of the two areas, [0, 1]: 1 for a box inside another."""
    return _ratio(intersection(a, b), np.minimum(a[4], b[4]))


def giou(a: Sides, b: Sides) -> np.ndarray:
    """Return the generalised IoU, (-1, 1]: IoU minus the share of the enclosing box that neither covers.

    Source: Rezatofighi et al., CVPR 2019. Written from the paper.
    """
    shared = intersection(a, b)
    union = a[4] + b[4]
    union -= shared
    hull = (np.maximum(a[2], b[2]) - np.minimum(a[0], b[0])) * (
        np.maximum(a[3], b[3]) - np.minimum(a[1], b[1])
    )
    return _ratio(shared, union) - _ratio(hull - union, hull)


def distance(a: Sides, b: Sides) -> np.ndarray:
    """Return the squared distance of the centres over the squared diagonal of the enclosing box, [0, 1)."""
    dx, dy = (a[0] + a[2]) - (b[0] + b[2]), (a[1] + a[3]) - (b[1] + b[3])
    width = np.maximum(a[2], b[2]) - np.minimum(a[0], b[0])
    height = np.maximum(a[3], b[3]) - np.minimum(a[1], b[1])
    return _ratio((dx * dx + dy * dy) / 4, width * width + height * height)


def diou(a: Sides, b: Sides) -> np.ndarray:
    """Return the distance IoU, (-1, 1]: IoU minus the normalised distance of the centres.

    Source: Zheng et al., AAAI 2020, with beta = 1. Written from the paper.
    """
    return iou(a, b) - distance(a, b)


MEASURES: dict[str, Callable[[Sides, Sides], np.ndarray]] = {
    "iou": iou,
    "giou": giou,
    "diou": diou,
    "ios": ios,
}

LOWEST: dict[str, float] = {"iou": 0.0, "giou": -1.0, "diou": -1.0, "ios": 0.0}
"""Lower end of the range of each measure; the upper end is 1."""
