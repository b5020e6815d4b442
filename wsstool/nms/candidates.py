"""The N regions that a rule looks at: their shapes, the groups that do not meet, and extra columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from wsstool.nms.result import NmsResult
from wsstool.nms.shapes import AxisAligned, Shapes


@dataclass(frozen=True)
class Regions:
    """What a rule takes for ``boxes``; a bare (N, 4) array stands for one group of plain boxes.

    Args:
        shapes: how they overlap.
        boxes: (N, 4) coordinates that can be averaged, or what else stands for the regions in the result.
        group: (N,) int64 from 0 to ``n_groups`` - 1. Regions of different groups never meet, whatever their
            coordinates: class-aware suppression is exact.
        columns: further values of each region by name: ``localisation`` (N,), ``std`` (N, 4), ``density``
            (N,), ``model`` (N,).
        inclusive: whether an overlap equal to the threshold suppresses; None: as the rule was published.
        moves: whether the mean of several of them is one again.
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
        """Some of them, in the order of ``chosen``."""
        columns = {name: column[chosen] for name, column in self.columns.items()}
        return replace(
            self,
            shapes=self.shapes.take(chosen),
            boxes=self.boxes[chosen],
            group=self.group[chosen],
            columns=columns,
        )

    def column(self, name: str, what: str) -> np.ndarray:
        """An extra column.

        Raises:
            ValueError: it was not given.
        """
        if name not in self.columns:
            raise ValueError(f"this rule needs the column '{name}': {what}")
        return self.columns[name]

    def averaged(self, rule: str) -> np.ndarray:
        """(N, 4) float64 coordinates to average.

        Raises:
            ValueError: rotated boxes or masks.
        """
        if not self.moves:
            raise ValueError(f"{rule} averages coordinates; rotated boxes and masks have no mean")
        return self.boxes.astype(np.float64)

    def bound(self, threshold: float, inclusive: bool = False) -> float:
        """The number that an overlap must exceed to suppress, exactly, in the precision of the overlaps."""
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
    """(N,) int64 order of falling scores, equal ones by lower index.

    >>> falling(np.array([0.5, 0.9, 0.5, -1.0], np.float32))
    array([1, 0, 2, 3])
    """
    if scores.dtype != np.float32:
        return np.argsort(-scores.astype(np.float64), kind="stable")
    # One sort of whole numbers, rank bits above the index: several times as fast as a stable sort of floats.
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
    """Put the kept ones in falling order of their new scores.

    Args:
        keep: (K,) kept inputs in any order, with ``boxes`` (K, 4) and ``new_scores`` (K,), None: unchanged.
        by: (N,) the kept input that each input went into, -1: none; or a function that works it out.
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
    """``by`` for rules that name no culprit: the kept region that each one overlaps most, -1 for none."""

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
