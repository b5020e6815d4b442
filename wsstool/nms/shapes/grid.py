"""Find candidate pairs of boxes that can overlap at all: a grid over their centres, one layer per group.

Only boxes that lie near each other overlap, and an overlap above a threshold also requires similar sizes. For
IoU > t the intervals of two boxes on each axis have an IoU above t themselves, so that

    |difference of centres| < (1 - t) / (2 (1 + t)) * (sum of the widths)    and    t < ratio of widths < 1/t.

The boxes are sorted into cells about as large as that reach; each box then queries one run of cells per row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_CHUNK = 1 << 14  #: candidate pairs processed together: their arrays fit the second-level cache
_SLACK = 1e-5  #: relative margin on the reach, so that rounding loses no pair

Hulls = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""x1, y1, x2, y2, each (N,)."""


def reach(above: float) -> float:
    """Return how far centres may be apart for an IoU above ``above``, in sums of the two widths.

    >>> reach(0.0), round(reach(0.5), 4)
    (0.5, 0.1667)
    """
    return max(0.0, 1 - above) / (2 * (1 + above)) if above > 0 else 0.5


@dataclass
class Plan:
    """Candidate pairs: query ``query[k]`` with the boxes ``order[start[k] : start[k] + count[k]]``."""

    order: np.ndarray  #: the boxes, sorted into cells
    query: np.ndarray
    start: np.ndarray
    count: np.ndarray
    rank: np.ndarray | None = None  #: if given, only pairs count in which the query ranks higher

    @property
    def cost(self) -> int:
        """Number of candidate pairs."""
        return int(self.count.sum())

    def chunks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (query, box) of all candidate pairs, in chunks."""
        ends = np.cumsum(self.count)
        first = 0
        while first < len(ends):
            done = int(ends[first - 1]) if first else 0
            last = max(first + 1, int(np.searchsorted(ends, done + _CHUNK, "right")))
            count = self.count[first:last]
            place = np.repeat(self.start[first:last] - (ends[first:last] - count - done), count)
            place += np.arange(len(place))
            query, box = np.repeat(self.query[first:last], count), self.order[place]
            if self.rank is not None:
                once = np.flatnonzero(self.rank[box] < self.rank[query])
                query, box = query[once], box[once]
            yield query, box
            first = last


class Grid:
    """Boxes sorted by group and by the cell of their centre.

    Args:
        hulls: bounding boxes, finite.
        group: (N,) int64, from 0 to ``n_groups`` - 1; only boxes of the same group are compared.
        cell: approximate size of a cell, (width, height) in pixels.
    """

    def __init__(self, hulls: Hulls, group: np.ndarray, n_groups: int, cell: tuple[float, float]) -> None:
        self.x, self.y = centres(hulls)
        self.group = group
        self.origin = float(self.x.min()), float(self.y.min())
        extent = float(np.ptp(self.x)), float(np.ptp(self.y))
        # About as many cells as boxes: more would take longer to clear than they save.
        most = max(1.0, 4 * len(self.x) / n_groups)
        wanted = [
            max(1.0, length / size) if size > 0 else most for length, size in zip(extent, cell, strict=True)
        ]
        scale = min(1.0, (most / (wanted[0] * wanted[1])) ** 0.5)
        self.columns, self.rows = (max(1, int(min(n * scale, most))) for n in wanted)
        self.size = (extent[0] / self.columns or 1.0, extent[1] / self.rows or 1.0)
        cells = (group * self.rows + self._row(self.y)) * self.columns + self._column(self.x)
        n_cells = n_groups * self.rows * self.columns
        self.order = _sorted_places(cells, n_cells)
        self.starts = np.zeros(n_cells + 1, np.int64)
        np.cumsum(np.bincount(cells, minlength=n_cells), out=self.starts[1:])

    def _column(self, x: np.ndarray) -> np.ndarray:
        return ((x - self.origin[0]) / self.size[0]).clip(0, self.columns - 1).astype(np.int64)

    def _row(self, y: np.ndarray) -> np.ndarray:
        return ((y - self.origin[1]) / self.size[1]).clip(0, self.rows - 1).astype(np.int64)

    def ask(self, x: np.ndarray, y: np.ndarray, rx: np.ndarray, ry: np.ndarray, group: np.ndarray) -> Plan:
        """Return the boxes whose centres may lie within (rx, ry) of each query's centre, in its group."""
        rx = rx * (1 + _SLACK) + _SLACK * self.size[0]
        ry = ry * (1 + _SLACK) + _SLACK * self.size[1]
        left, right, top = self._column(x - rx), self._column(x + rx), self._row(y - ry)
        rows = self._row(y + ry) - top + 1
        query = np.repeat(np.arange(len(x)), rows)
        row = np.arange(len(query)) - np.repeat(np.cumsum(rows) - rows - top, rows)
        base = (group[query] * self.rows + row) * self.columns
        start = self.starts[base + left[query]]
        count = self.starts[base + right[query] + 1] - start
        some = count > 0
        return Plan(self.order, query[some], start[some], count[some])


def _sorted_places(cells: np.ndarray, n_cells: int) -> np.ndarray:
    """Return the stable order of small integers: radix sort where they fit, else cell and index combined."""
    if n_cells < 1 << 16:
        return np.argsort(cells.astype(np.uint16), kind="stable")
    bits = max(1, len(cells)).bit_length()
    keys = (cells << bits) | np.arange(len(cells))
    keys.sort()
    return keys & ((1 << bits) - 1)


def centres(hulls: Hulls) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y of the centres, float64."""
    x1, y1, x2, y2 = (side.astype(np.float64) for side in hulls)
    return (x1 + x2) / 2, (y1 + y2) / 2


class Level:
    """Boxes of similar size in a grid of their own."""

    def __init__(
        self, hulls: Hulls, members: np.ndarray, group: np.ndarray, n_groups: int, far: float
    ) -> None:
        own = _some(hulls, members)
        width, height = own[2] - own[0], own[3] - own[1]
        self.widest, self.tallest = float(width.max()), float(height.max())
        cell = far * (self.widest + float(np.median(width))), far * (self.tallest + float(np.median(height)))
        self.grid = Grid(own, group[members], n_groups, cell)
        self.order = members[self.grid.order]

    def near(
        self,
        hulls: Hulls,
        queries: np.ndarray,
        group: np.ndarray,
        above: float,
        rank: np.ndarray | None = None,
    ) -> Plan:
        """Return the boxes of this level that may have an IoU above ``above`` with the queries."""
        own = _some(hulls, queries)
        radii = [
            reach(above) * (length + (np.minimum(length / above, most) if above > 0 else most))
            for length, most in ((own[2] - own[0], self.widest), (own[3] - own[1], self.tallest))
        ]
        plan = self.grid.ask(*centres(own), radii[0], radii[1], group[queries])
        return Plan(self.order, queries[plan.query], plan.start, plan.count, rank)


class Index:
    """Spatial index of the boxes ``chosen``, in levels of size, since small boxes have a short reach."""

    def __init__(
        self, hulls: Hulls, chosen: np.ndarray, group: np.ndarray, n_groups: int, above: float
    ) -> None:
        self.hulls, self.group, self.above = hulls, group, above
        level = _levels(_some(hulls, chosen), n_groups) if above < _ALIKE else np.zeros(len(chosen), np.int64)
        self.levels = [
            Level(hulls, members, group, n_groups, reach(above))
            for k in range(int(level.max(initial=-1)) + 1)
            if len(members := chosen[level == k])
        ]

    def near(self, queries: np.ndarray) -> list[Plan]:
        """Return plans that contain every pair of a query and a box that may overlap enough."""
        return [level.near(self.hulls, queries, self.group, self.above) for level in self.levels]


_ALIKE = 0.3  #: above this IoU boxes are of similar size anyway
_SMALL = 24  #: pairs per box in groups so small that a grid takes longer than it saves
_FEW = 1024  #: boxes per group that are not worth more than one level


def _levels(hulls: Hulls, n_groups: int) -> np.ndarray:
    """Return (N,) 0 for boxes up to half the size of the largest, 1 for those up to a quarter, and so on."""
    side = np.maximum(hulls[2] - hulls[0], hulls[3] - hulls[1])
    if len(side) < _FEW * n_groups or not side.max() > 0:
        return np.zeros(len(side), np.int64)
    with np.errstate(divide="ignore"):
        return np.floor(-np.log2(side / side.max())).clip(0, 5).astype(np.int64)


def among(hulls: Hulls, group: np.ndarray, n_groups: int, above: float) -> list[Plan]:
    """Return plans that contain every pair of one set that may have an IoU above ``above``, once."""
    sizes = np.bincount(group, minlength=n_groups)
    if int((sizes * (sizes - 1) // 2).sum()) <= len(group) * (_SMALL if above < _ALIKE else 0):
        return [_every(group, sizes)]
    width, height = hulls[2] - hulls[0], hulls[3] - hulls[1]
    everything = np.arange(len(width))
    rank = np.empty(len(width), np.int32)
    rank[np.argsort(width, kind="stable")] = everything
    level = _levels(hulls, n_groups)
    if above < _ALIKE and level.any():
        return [
            plan
            for k in range(int(level.max()) + 1)
            if len(members := np.flatnonzero(level == k))
            for plan in _downwards(hulls, members, np.flatnonzero(level < k), group, n_groups, above, rank)
        ]
    # Each box queries for boxes that are not wider than itself.
    far, tallest = reach(above), height.max()
    rx = 2 * far * width
    ry = far * (height + (np.minimum(height / above, tallest) if above > 0 else tallest))
    grid = Grid(hulls, group, n_groups, (float(np.median(rx)), float(np.median(ry))))
    order = grid.order
    plan = grid.ask(grid.x[order], grid.y[order], rx[order], ry[order], group[order])
    return [Plan(order, order[plan.query], plan.start, plan.count, rank)]


def _every(group: np.ndarray, sizes: np.ndarray) -> Plan:
    """Return every pair of a group: each box with those that come later."""
    order = np.argsort(group, kind="stable")
    later = np.arange(1, len(order) + 1)
    return Plan(order, order, later, np.repeat(np.cumsum(sizes), sizes) - later)


def _downwards(
    hulls: Hulls,
    members: np.ndarray,
    larger: np.ndarray,
    group: np.ndarray,
    n_groups: int,
    above: float,
    rank: np.ndarray,
) -> Iterator[Plan]:
    """Return the pairs within a level, and of all larger boxes with it."""
    level = Level(hulls, members, group, n_groups, reach(above))
    yield level.near(hulls, level.order, group, above, rank)
    if len(larger):
        yield level.near(hulls, larger, group, above)


def _some(hulls: Hulls, chosen: np.ndarray) -> Hulls:
    return hulls[0][chosen], hulls[1][chosen], hulls[2][chosen], hulls[3][chosen]


def neighbourhoods(hulls: Hulls, size: int) -> Iterator[np.ndarray]:
    """Yield all boxes in parts of at most ``size`` that lie close together: strips, then along each strip."""
    x, y = centres(hulls)
    strips = max(1, round((len(x) / size) ** 0.5))
    strip = np.empty(len(x), np.int64)
    strip[np.argsort(x)] = np.arange(len(x)) * strips // len(x)
    order = np.lexsort((np.where(strip % 2, -y, y), strip))
    for first in range(0, len(order), size):
        yield order[first : first + size]
