"""Greedy suppression, computed as a fixed point: a box is kept if no better kept box overlaps it.

Boxes without an undecided better neighbour are decided together, round by round; the number of rounds is the
longest chain of dependent decisions, a handful in practice. Large sets are processed in blocks of falling
score, so that boxes suppressed early need no further comparisons.
"""

from __future__ import annotations

import numpy as np

from wsstool.nms.candidates import Regions, falling
from wsstool.nms.shapes import Shapes

_PAIRS = 1 << 18  #: candidate pairs above which a set is split into blocks
_LEAST = 512  #: smallest block
_EACH = 8  #: candidate pairs per box that never cause a split


def survivors(regions: Regions, rank: np.ndarray, above: float) -> tuple[np.ndarray, np.ndarray]:
    """Suppress greedily.

    Args:
        regions: N regions.
        rank: (N,) preference, larger first; ties by lower index.
        above: a region is suppressed if its overlap with a better kept one is larger.
    Returns:
        keep: (K,) int64 kept regions, the best first.
        by: (N,) int64, the best kept region that suppresses each; a kept region names itself.
    """
    order = falling(rank)
    kept, first = in_order(regions.shapes.take(order), regions.group[order], regions.n_groups, above)
    by = np.empty(len(order), np.int64)
    by[order] = order[first]
    return order[kept], by


def in_order(shapes: Shapes, group: np.ndarray, n_groups: int, above: float) -> tuple[np.ndarray, np.ndarray]:
    """Suppress regions that are sorted already; return (K,) kept and (N,) suppressor of each."""
    n = len(shapes)
    kept, by = np.zeros(n, bool), np.arange(n)
    waiting = np.arange(n)
    while len(waiting):
        size = _block(shapes, waiting, group, n_groups, above)
        block, waiting = waiting[:size], waiting[size:]
        i, j, _ = shapes.take(block).pairs(group[block], n_groups, above)
        stays = decide(i, j, size)
        dropping = np.flatnonzero(stays[i])
        np.minimum.at(by, block[j[dropping]], block[i[dropping]])
        kept[block[stays]] = True
        if len(waiting):
            i, j, _ = shapes.across(block[stays], waiting, group, n_groups, above)
            np.minimum.at(by, j, i)
            waiting = waiting[by[waiting] == waiting]
    return np.flatnonzero(kept), by


def _block(shapes: Shapes, waiting: np.ndarray, group: np.ndarray, n_groups: int, above: float) -> int:
    """Return how many of the best waiting boxes to process together, so that their pairs stay few."""
    size = len(waiting)
    if size <= _LEAST:
        return size
    cost = shapes.take(waiting).cost(group[waiting], n_groups, above)
    if cost <= max(_PAIRS, _EACH * size):
        return size
    return max(_LEAST, int(size * (max(_PAIRS, _EACH * size) / cost) ** 0.5))


def decide(i: np.ndarray, j: np.ndarray, n: int) -> np.ndarray:
    """Return (n,) bool: which of ``n`` items stay, if i suppresses j for every pair i < j whose i stays."""
    stays = np.ones(n, bool)
    open_ = np.zeros(n, bool)
    open_[j] = True  # undecided as long as an undecided item may suppress it
    while len(i):
        sure = ~open_[i]
        stays[j[sure]] = False  # their i stays: it was decided, and pairs of suppressed items go below
        left = open_[i] & stays[i] & stays[j]
        i, j = i[left], j[left]
        open_[:] = False
        open_[j] = True
    return stays
