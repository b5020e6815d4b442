"""Rotated boxes: the exact intersection area of two rectangles, as a polygon."""

from __future__ import annotations

import numpy as np

from wsstool.nms.shapes import Pairs, Searcher, every_pair, every_pair_across, gathered, grid

_SOME = 1 << 14  #: pairs whose polygons are clipped together


class Rotated:
    """Rectangles at any angle, compared by IoU (or ``ios``: shared area over the smaller).

    Args:
        boxes: (N, 5) float32 or float64: centre x, centre y, width, height in pixels, angle in radians from
            the x axis towards the y axis, clockwise on screen. Angles may be any finite number.
        measure: ``iou`` or ``ios``.
    Notes:
        Areas are computed in float64. The caller must convert angles in degrees.
    """

    dtype = np.dtype(np.float64)

    def __init__(self, boxes: np.ndarray, measure: str = "iou") -> None:
        if measure not in ("iou", "ios"):
            raise ValueError(f"measure '{measure}': give iou or ios for rotated boxes")
        self.boxes, self.measure = boxes.astype(np.float64), measure
        cos, sin = np.cos(self.boxes[:, 4]), np.sin(self.boxes[:, 4])
        along = np.stack([cos, sin], 1) * self.boxes[:, 2:3] / 2
        across = np.stack([-sin, cos], 1) * self.boxes[:, 3:4] / 2
        corner = [along + across, across - along, -along - across, along - across]
        self.corners = self.boxes[:, None, :2] + np.stack(corner, 1)  # (N, 4, 2)
        self.areas = self.boxes[:, 2] * self.boxes[:, 3]
        low, high = self.corners.min(1), self.corners.max(1)
        self.hulls = low[:, 0], low[:, 1], high[:, 0], high[:, 1]

    def __len__(self) -> int:
        return len(self.boxes)

    def take(self, chosen: np.ndarray) -> Rotated:
        return Rotated(self.boxes[chosen], self.measure)

    def overlap(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        shared = np.zeros(len(i))
        for first in range(0, len(i), _SOME):
            part = slice(first, first + _SOME)
            # Relative to the first centre, so that distant rectangles lose no digits.
            centre = self.boxes[i[part], None, :2]
            shared[part] = shared_area(self.corners[i[part]] - centre, self.corners[j[part]] - centre)
        a, b = self.areas[i], self.areas[j]
        shared = np.minimum(shared, np.minimum(a, b))
        under = a + b - shared if self.measure == "iou" else np.minimum(a, b)
        return np.divide(shared, under, out=np.zeros(len(i)), where=under > 0)

    def block(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        i, j = np.repeat(rows, len(columns)), np.tile(columns, len(rows))
        found = np.zeros(len(i))
        a, b = tuple(h[i] for h in self.hulls), tuple(h[j] for h in self.hulls)
        near = np.flatnonzero((a[0] < b[2]) & (b[0] < a[2]) & (a[1] < b[3]) & (b[1] < a[3]))
        found[near] = self.overlap(i[near], j[near])
        return found.reshape(len(rows), len(columns))

    def cost(self, group: np.ndarray, n_groups: int, above: float) -> int:
        if above < 0 or not len(self):
            return len(self) ** 2
        return sum(plan.cost for plan in grid.among(self.hulls, group, n_groups, 0.0))

    def pairs(self, group: np.ndarray, n_groups: int, above: float) -> Pairs:
        if above < 0 or len(self) < 2:
            return every_pair(self, group, above)
        plans = grid.among(self.hulls, group, n_groups, 0.0)
        found = [self._above(i, j, above) for plan in plans for i, j in plan.chunks()]
        i, j, value = gathered(found, self.dtype)
        return np.minimum(i, j), np.maximum(i, j), value

    def searcher(self, columns: np.ndarray, group: np.ndarray, n_groups: int, above: float) -> Searcher:
        if above < 0 or not len(columns):
            return lambda rows, waiting=None: every_pair_across(self, rows, columns, group, above, waiting)
        index = grid.Index(self.hulls, columns, group, n_groups, 0.0)

        def search(rows: np.ndarray, waiting: np.ndarray | None = None) -> Pairs:
            found = []
            for plan in index.near(rows):
                for i, j in plan.chunks():
                    some = slice(None) if waiting is None else np.flatnonzero(waiting[j])
                    found.append(self._above(i[some], j[some], above))
            return gathered(found, self.dtype)

        return search

    def across(
        self, rows: np.ndarray, columns: np.ndarray, group: np.ndarray, n_groups: int, above: float
    ) -> Pairs:
        return self.searcher(columns, group, n_groups, above)(rows)

    def _above(self, i: np.ndarray, j: np.ndarray, above: float) -> Pairs:
        """Keep the pairs that exceed ``above``; skip the clipping where hulls cannot."""
        x1, y1, x2, y2 = self.hulls
        width = np.minimum(x2[i], x2[j]) - np.maximum(x1[i], x1[j])
        height = np.minimum(y2[i], y2[j]) - np.maximum(y1[i], y1[j])
        a, b = self.areas[i], self.areas[j]
        most = np.minimum(np.maximum(width, 0) * np.maximum(height, 0), np.minimum(a, b))
        under = a + b - most if self.measure == "iou" else np.minimum(a, b)
        possible = np.flatnonzero((most > 0) & (most >= above * under * (1 - 1e-9)))
        i, j = i[possible], j[possible]
        value = self.overlap(i, j)
        kept = np.flatnonzero(value > above)
        return i[kept], j[kept], value[kept]


def shared_area(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the (P,) area that two convex quadrilaterals share.

    The corners of the shared polygon are the corners of each that lie in the other and the crossings of their
    sides: at most 24 points, which are sorted around their mean.

    Args:
        a, b: (P, 4, 2) corners in order, either way round.

    >>> square = np.array([[[0, 0], [2, 0], [2, 2], [0, 2.0]]])
    >>> shared_area(square, square + 1)
    array([1.])
    """
    a_to, b_to = np.roll(a, -1, 1) - a, np.roll(b, -1, 1) - b
    apart = b[:, None] - a[:, :, None]  # (P, 4, 4, 2): from a's corner k to b's corner l
    cross = _cross(a_to[:, :, None], b_to[:, None])
    with np.errstate(invalid="ignore", divide="ignore"):
        s = _cross(apart, b_to[:, None]) / cross
        t = _cross(apart, a_to[:, :, None]) / cross
    meets = (cross != 0) & (s >= 0) & (s <= 1) & (t >= 0) & (t <= 1)
    meeting = a[:, :, None] + np.where(meets, s, 0)[..., None] * a_to[:, :, None]
    points = np.concatenate([meeting.reshape(len(a), 16, 2), a, b], 1)
    valid = np.concatenate([meets.reshape(len(a), 16), _inside(a, b, b_to), _inside(b, a, a_to)], 1)
    count = valid.sum(1)
    middle = (points * valid[..., None]).sum(1) / np.maximum(count, 1)[:, None]
    points = np.where(valid[..., None], points - middle[:, None], 0)
    angle = np.where(valid, np.arctan2(points[..., 1], points[..., 0]), np.inf)
    order = np.argsort(angle, 1, kind="stable")
    ring = np.take_along_axis(points, order[..., None], 1)
    # Unused points come last; they repeat the first and add no area.
    ring = np.where((np.arange(24) < count[:, None])[..., None], ring, ring[:, :1])
    area = _cross(ring, np.roll(ring, -1, 1)).sum(1) / 2
    return np.where(count > 2, np.abs(area), 0.0)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _inside(points: np.ndarray, corners: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Return (P, 4) bool: which points lie in a quadrilateral or on its border."""
    turn = _cross(sides[:, None], points[:, :, None] - corners[:, None])
    slack = 1e-12 * np.abs(sides).max((1, 2))[:, None, None] ** 2
    return (turn >= -slack).all(2) | (turn <= slack).all(2)
