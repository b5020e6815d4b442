"""Axis-aligned boxes, and the interface that they share with rotated boxes and masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from wsstool.nms.shapes import grid
from wsstool.nms.shapes.boxes import MEASURES, Sides, sides

Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]
"""(i, j, overlap), each (P,)."""


class Searcher(Protocol):
    """Find pairs (one of ``rows``, one of a set) that overlap enough; ``waiting`` (N,) narrows the set."""

    def __call__(self, rows: np.ndarray, waiting: np.ndarray | None = None) -> Pairs: ...


class Shapes(Protocol):
    """N regions of one kind, in float32 or float64."""

    dtype: np.dtype

    @property
    def hulls(self) -> grid.Hulls:
        """Boxes around the regions: regions whose hulls share no area share none."""
        ...

    def __len__(self) -> int: ...
    def take(self, chosen: np.ndarray) -> Shapes: ...
    def overlap(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Return the overlap of region i[k] with region j[k]."""
        ...

    def block(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the (len(rows), len(columns)) pairwise overlaps."""
        ...

    def pairs(self, group: np.ndarray, n_groups: int, above: float) -> Pairs:
        """Return every pair i < j of one group with an overlap above ``above``."""
        ...

    def cost(self, group: np.ndarray, n_groups: int, above: float) -> int:
        """Estimate the number of pairs that ``pairs`` would compare."""
        ...

    def searcher(self, columns: np.ndarray, group: np.ndarray, n_groups: int, above: float) -> Searcher:
        """Return a search for pairs with one of ``columns`` in the same group, overlap above ``above``."""
        ...

    def across(
        self, rows: np.ndarray, columns: np.ndarray, group: np.ndarray, n_groups: int, above: float
    ) -> Pairs:
        """Return every pair (one of ``rows``, one of ``columns``) of one group, overlap above ``above``."""
        ...


class AxisAligned:
    """Axis-aligned boxes.

    Args:
        boxes: (N, 4) float32 or float64, xyxy, finite, x1 <= x2, y1 <= y2.
        measure: name in ``overlap.MEASURES``.
        plus_one: x2 and y2 are inclusive, see ``overlap.sides``.
    """

    def __init__(self, boxes: np.ndarray, measure: str = "iou", plus_one: bool = False) -> None:
        self._hold(sides(boxes, plus_one), MEASURES[measure], below_iou=measure != "ios")

    def _hold(self, columns: Sides, overlap: Callable[[Sides, Sides], np.ndarray], below_iou: bool) -> None:
        self.sides, self.dtype = columns, columns[0].dtype
        self._overlap, self._below_iou = overlap, below_iou

    def measured(self, overlap: Callable[[Sides, Sides], np.ndarray]) -> AxisAligned:
        """Return the same boxes with another overlap measure, which must never exceed their IoU."""
        one = AxisAligned.__new__(AxisAligned)
        one._hold(self.sides, overlap, below_iou=True)
        return one

    def measures(self, overlap: Callable[[Sides, Sides], np.ndarray]) -> bool:
        """Return whether ``overlap`` is the measure in use."""
        return self._overlap is overlap

    def __len__(self) -> int:
        return len(self.sides[0])

    @property
    def hulls(self) -> grid.Hulls:
        return self.sides[:4]

    def take(self, chosen: np.ndarray) -> AxisAligned:
        one = AxisAligned.__new__(AxisAligned)
        one._hold(_pick(self.sides, chosen), self._overlap, self._below_iou)
        return one

    def overlap(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        return self._overlap(_pick(self.sides, i), _pick(self.sides, j))

    def block(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return self._dense(_pick(self.sides, rows), _pick(self.sides, columns))

    def _dense(self, a: Sides, b: Sides) -> np.ndarray:
        # Minimum and maximum of whole arrays are several times as fast as with a broadcast number.
        full = []
        for side in a:
            one = np.empty((len(side), len(b[0])), side.dtype)
            one[...] = side[:, None]
            full.append(one)
        return self._overlap(tuple(full), b)  # type: ignore[arg-type]

    def _least_iou(self, above: float) -> float | None:
        """Return an IoU that any pair above ``above`` exceeds; 0: it overlaps; None: unknown."""
        if above < 0:
            return None
        return above if self._below_iou else 0.0

    def cost(self, group: np.ndarray, n_groups: int, above: float) -> int:
        least = self._least_iou(above)
        if least is None or not len(self):
            return len(self) ** 2
        return sum(plan.cost for plan in grid.among(self.hulls, group, n_groups, least))

    def pairs(self, group: np.ndarray, n_groups: int, above: float) -> Pairs:
        least = self._least_iou(above)
        if least is None:
            return every_pair(self, group, above)
        if len(self) < 2:
            return gathered([], self.dtype)
        plans = grid.among(self.hulls, group, n_groups, least)
        i, j, value = self._above(plans, above)
        return np.minimum(i, j), np.maximum(i, j), value

    def searcher(self, columns: np.ndarray, group: np.ndarray, n_groups: int, above: float) -> Searcher:
        least = self._least_iou(above)
        if least is None or not len(columns):
            return lambda rows, waiting=None: every_pair_across(self, rows, columns, group, above, waiting)
        index = grid.Index(self.hulls, columns, group, n_groups, least)
        return lambda rows, waiting=None: self._above(index.near(rows), above, waiting)

    def across(
        self, rows: np.ndarray, columns: np.ndarray, group: np.ndarray, n_groups: int, above: float
    ) -> Pairs:
        return self.searcher(columns, group, n_groups, above)(rows)

    def _above(self, plans: list[grid.Plan], above: float, waiting: np.ndarray | None = None) -> Pairs:
        found = []
        for plan in plans:
            for i, j in plan.chunks():
                if waiting is not None:
                    some = np.flatnonzero(waiting[j])
                    i, j = i[some], j[some]
                value = self._overlap(_pick(self.sides, i), _pick(self.sides, j))
                kept = np.flatnonzero(value > above)
                found.append((i[kept], j[kept], value[kept]))
        return gathered(found, self.dtype)


def _pick(columns: Sides, chosen: np.ndarray) -> Sides:
    return tuple(column[chosen] for column in columns)  # type: ignore[return-value]


def gathered(found: list[Pairs], dtype: np.dtype) -> Pairs:
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, dtype)
    i, j, value = (np.concatenate(part) for part in zip(*found, strict=True))
    return i, j, value


def every_pair(shapes: Shapes, group: np.ndarray, above: float) -> Pairs:
    """Compute ``Shapes.pairs`` without pruning: rows of the full overlap matrix, a block at a time."""
    found = []
    everything = np.arange(len(shapes))
    for first, last in _blocks(len(shapes), len(shapes)):
        rows = everything[first:last]
        i, j, value = every_pair_across(shapes, rows, everything[first:], group, above)
        later = i < j
        found.append((i[later], j[later], value[later]))
    return gathered(found, shapes.dtype)


def every_pair_across(
    shapes: Shapes,
    rows: np.ndarray,
    columns: np.ndarray,
    group: np.ndarray,
    above: float,
    waiting: np.ndarray | None = None,
) -> Pairs:
    """Compute ``Shapes.across`` without pruning."""
    if waiting is not None:
        columns = columns[waiting[columns]]
    found = []
    for first, last in _blocks(len(rows), len(columns)):
        some = rows[first:last]
        value = shapes.block(some, columns)
        i, j = np.nonzero((value > above) & (group[some][:, None] == group[columns]))
        found.append((some[i], columns[j], value[i, j]))
    return gathered(found, shapes.dtype)


def _blocks(rows: int, columns: int) -> list[tuple[int, int]]:
    step = max(1, (1 << 20) // max(1, columns))
    return [(first, min(first + step, rows)) for first in range(0, rows, step)]
