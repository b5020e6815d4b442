"""The N regions that a method processes: shapes, groups and extra columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from wsstool.nms.result import NmsResult
from wsstool.nms.shapes import AxisAligned, Shapes


@dataclass(frozen=True)
class Regions:
    """The ``boxes`` argument of a method; a bare (N, 4) array means one group of plain boxes.

    Args:
        shapes: the geometry, which computes overlaps.
        boxes: (N, 4) coordinates that can be averaged, or whatever represents the regions in the result.
        group: (N,) int64 from 0 to ``n_groups`` - 1. Only regions of the same group are compared, whatever
            the coordinates, so class-aware suppression is exact.
        columns: further values per region by name: ``localisation`` (N,), ``std`` (N, 4), ``density``
            (N,), ``model`` (N,).
        inclusive: whether an overlap equal to the threshold suppresses; None: as published for the method.
        moves: whether regions can be averaged.
    """

    shapes: Shapes
    boxes: np.ndarray
    group: np.ndarray
    n_groups: int = 1
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    inclusive: bool | None = None
    moves: bool = True

    def __len__(self) -> int:
        return len(self.group)

    @classmethod
    def of(cls, boxes: np.ndarray | Regions) -> Regions:
        if isinstance(boxes, Regions):
            return boxes
        array = np.asarray(boxes)
        array = array if array.dtype == np.float32 else array.astype(np.float64)
        return cls(AxisAligned(array.reshape(-1, 4)), array.reshape(-1, 4), np.zeros(len(array), np.int64))

    def take(self, chosen: np.ndarray) -> Regions:
        """Return the regions ``chosen``, in that order."""
        columns = {name: column[chosen] for name, column in self.columns.items()}
        return replace(
            self,
            shapes=self.shapes.take(chosen),
            boxes=self.boxes[chosen],
            group=self.group[chosen],
            columns=columns,
        )

    def column(self, name: str, what: str) -> np.ndarray:
        """Return an extra column.

        Raises:
            ValueError: the column was not given.
        """
        if name not in self.columns:
            raise ValueError(f"this method needs the column '{name}': {what}")
        return self.columns[name]

    def averaged(self, rule: str) -> np.ndarray:
        """Return the (N, 4) float64 coordinates for averaging.

        Raises:
            ValueError: rotated boxes or masks.
        """
        if not self.moves:
            raise ValueError(
                f"{rule} averages coordinates, which is not possible for rotated boxes and masks"
            )
        return self.boxes.astype(np.float64)

    def bound(self, threshold: float, inclusive: bool = False) -> float:
        """Return the number that an overlap must exceed to suppress, exact in the dtype of the overlaps."""
        number = self.shapes.dtype.type(threshold)
        if inclusive if self.inclusive is None else self.inclusive:
            while float(number) < threshold:
                number = np.nextafter(number, number.dtype.type(np.inf))
            number = np.nextafter(number, number.dtype.type(-np.inf))
            while float(number) >= threshold:
                number = np.nextafter(number, number.dtype.type(-np.inf))
        else:
            while float(number) > threshold:
                number = np.nextafter(number, number.dtype.type(-np.inf))
        return float(number)


def falling(scores: np.ndarray) -> np.ndarray:
    """Return the (N,) int64 order of falling scores; ties by lower index.

    >>> falling(np.array([0.5, 0.9, 0.5, -1.0], np.float32))
    array([1, 0, 2, 3])
    """
    if scores.dtype != np.float32:
        return np.argsort(-scores.astype(np.float64), kind="stable")
    # One sort of integers, rank bits above the index: several times as fast as a stable sort of floats.
    bits = (np.float32(0) - scores).view(np.uint32).astype(np.uint64)
    bits = np.where(bits >> np.uint64(31), ~bits & np.uint64(0xFFFFFFFF), bits | np.uint64(0x80000000))
    keys = (bits << np.uint64(32)) | np.arange(len(scores), dtype=np.uint64)
    keys.sort()
    return (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)


def result(
    regions: Regions,
    scores: np.ndarray,
    keep: np.ndarray,
    by: np.ndarray | Callable[[], np.ndarray],
    *,
    boxes: np.ndarray | None = None,
    new_scores: np.ndarray | None = None,
) -> NmsResult:
    """Build the result, kept regions in falling order of their new scores.

    Args:
        keep: (K,) kept inputs in any order, with ``boxes`` (K, 4) and ``new_scores`` (K,), None: unchanged.
        by: (N,) the kept input that absorbs each input, -1: none; or a function that computes it.
    """
    moved = regions.boxes[keep] if boxes is None else boxes.astype(regions.boxes.dtype)
    found = scores[keep] if new_scores is None else new_scores.astype(scores.dtype)
    order = np.argsort(keep, kind="stable")
    order = order[falling(found[order])]
    keep = keep[order]

    def cluster() -> np.ndarray:
        row = np.full(len(regions) + 1, -1)
        row[keep] = np.arange(len(keep))
        return row[by() if callable(by) else by]

    return NmsResult(keep, moved[order], found[order], cluster, scores[keep])


def nearest(regions: Regions, keep: np.ndarray) -> Callable[[], np.ndarray]:
    """Return ``by`` for methods that name no suppressor: the kept region of largest overlap, -1: none."""

    def by() -> np.ndarray:
        found = np.full(len(regions), -1)
        found[keep] = keep
        dropped = np.flatnonzero(found < 0)
        i, j, value = regions.shapes.across(keep, dropped, regions.group, regions.n_groups, 0.0)
        order = np.lexsort((i, -value, j))
        i, j = i[order], j[order]
        first = np.flatnonzero(np.diff(j, prepend=-1))
        found[j[first]] = i[first]
        return found

    return by
