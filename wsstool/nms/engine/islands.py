"""Find regions that may overlap by their hulls: islands between empty stripes, and intersecting pairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from wsstool.nms.shapes.grid import Hulls

_CHUNK = 1 << 17  #: pairs of hulls compared together


def islands(hulls: Hulls, group: np.ndarray, n_groups: int) -> tuple[np.ndarray, int]:
    """Split groups along every vertical, then every horizontal line that crosses none of their regions.

    Args:
        hulls: bounding boxes of N regions, finite.
        group: (N,) int64, from 0 to ``n_groups`` - 1.
    Returns:
        (N,) int64 island of each region, from 0, and their number: regions of two islands share no area.

    >>> boxes = np.array([[0, 0, 4, 4], [9, 0, 12, 4], [3, 2, 8, 4], [9, 5, 12, 8.0]])
    >>> islands(tuple(boxes.T), np.zeros(4, np.int64), 1)
    (array([0, 1, 0, 2]), 3)
    """
    if len(group):
        for low, high in ((hulls[0], hulls[2]), (hulls[1], hulls[3])):
            group, n_groups = _split(low, high, group, n_groups)
    return group, n_groups


def _split(low: np.ndarray, high: np.ndarray, group: np.ndarray, n_groups: int) -> tuple[np.ndarray, int]:
    low, high = low.astype(np.float64), high.astype(np.float64)
    base = float(low.min())
    # Place the groups one after another on one axis; rounding may hide a gap, but opens none.
    step = (float(high.max()) - base) * 1.01 or 1.0
    if not np.isfinite(step * n_groups):
        return group, n_groups
    low += group * step - base
    high += group * step - base
    order = np.argsort(low)
    reached = np.maximum.accumulate(high[order])
    slack = 8 * np.finfo(np.float64).eps * (step * n_groups + abs(base))
    starts = np.ones(len(order), bool)
    starts[1:] = low[order[1:]] > reached[:-1] + slack
    found = np.empty(len(order), np.int64)
    found[order] = np.cumsum(starts) - 1
    return found, int(np.count_nonzero(starts))


def touching(rows: Hulls, columns: Hulls) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (row, column) of all pairs of two sets of hulls that share area, row by row, in chunks."""
    x1, y1, x2, y2 = columns
    left, top, right, bottom = (side[:, None] for side in rows)
    width = len(x1)
    step = max(1, _CHUNK // max(1, width))
    for first in range(0, len(left), step):
        part = slice(first, first + step)
        both = np.less(x1, right[part])
        other = np.empty_like(both)
        both &= np.greater(x2, left[part], out=other)
        both &= np.less(y1, bottom[part], out=other)
        both &= np.greater(y2, top[part], out=other)
        place = np.flatnonzero(both)
        ends = np.searchsorted(place, np.arange(1, len(both) + 1) * width)
        row = np.repeat(np.arange(len(both)), np.diff(ends, prepend=0))
        place -= row * width
        row += first
        yield row, place


def some(hulls: Hulls, chosen: np.ndarray) -> Hulls:
    return hulls[0][chosen], hulls[1][chosen], hulls[2][chosen], hulls[3][chosen]
