"""Soft suppression of a large island: process the best few hundred alone, then decay all the rest at once.

Only regions among the best few hundred can be picked before the worst of them, so the others can wait until
the scores of these have fallen to that of the best of the rest.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from wsstool.nms.engine import compiled
from wsstool.nms.engine.factor import Factor
from wsstool.nms.engine.islands import some, touching
from wsstool.nms.shapes import AxisAligned, Pairs, Shapes
from wsstool.nms.shapes.boxes import iou
from wsstool.nms.shapes.grid import neighbourhoods

_STAGE = 224  #: regions processed per stage
_NEIGHBOURS = 48  #: regions per spatial neighbourhood


def in_stages(
    shapes: Shapes,
    members: np.ndarray,
    current: np.ndarray,
    factor: Factor,
    floor: float,
    left: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Process ``members`` (M,), rising; arguments and result as in ``lanes.in_step``."""
    loops = compiled.loops(len(members))
    picked, got = [members[:0]], [current[:0]]
    # With neighbours adjacent in memory, the regions that a pick overlaps form a few runs, found quickly.
    waiting = members[np.concatenate(list(neighbourhoods(some(shapes.hulls, members), _NEIGHBOURS)))]
    if left is not None:
        left[members[current[members] < floor]] = 0
    count = 0
    while True:
        waiting = waiting[(current[waiting] >= floor) & (current[waiting] > 0)]
        if not len(waiting):
            return np.concatenate(picked), np.concatenate(got)
        best, rest, limit = _best(waiting, current)
        rows = _rows(shapes, best, current.dtype, factor, loops)
        before = current[best]
        picks, values = _settle(rows, best, current, floor, limit, loops)
        if left is not None:
            left[best[picks]] = count + np.arange(len(picks))
            lost = np.flatnonzero((current[best] >= 0) & (current[best] < floor))
            left[best[lost]] = count + _fall(before[lost], rows[picks][:, lost], floor)
        chosen = best[picks]
        picked.append(chosen)
        got.append(values)
        if len(chosen) and len(rest):
            _decay(shapes, chosen, rest, current, factor, floor, left, count, loops)
        count += len(picks)


def _best(waiting: np.ndarray, current: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[float, int]]:
    """Return the best few hundred, rising; the others; (minus the score, index) of the best of those."""
    if len(waiting) <= _STAGE:
        return np.sort(waiting), waiting[:0], (0.0, 0)
    scores = current[waiting]
    least = np.partition(scores, len(scores) - _STAGE)[len(scores) - _STAGE]
    is_best = scores > least
    tied = np.flatnonzero(scores == least)
    tied = tied[np.argsort(waiting[tied])]
    open_ = _STAGE - int(np.count_nonzero(is_best))
    is_best[tied[:open_]] = True
    best, rest = np.sort(waiting[is_best]), waiting[~is_best]
    if open_ < len(tied):
        return best, rest, (-float(least), int(waiting[tied[open_]]))
    most = current[rest].max()
    return best, rest, (-float(most), int(rest[current[rest] == most].min()))


def _rows(
    shapes: Shapes, best: np.ndarray, dtype: np.dtype, factor: Factor, loops: compiled.Loops | None
) -> np.ndarray:
    """Return the (M, M) pairwise factors, -1 on the diagonal, which marks picked regions as negative."""
    found = np.ones((len(best), len(best)), dtype)
    for row, column, value in _overlapping(shapes, best, best, loops):
        found[row, column] = factor(value, best[row])
    np.fill_diagonal(found, -1)
    return found


def _settle(
    rows: np.ndarray,
    best: np.ndarray,
    current: np.ndarray,
    floor: float,
    limit: tuple[float, int],
    loops: compiled.Loops | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Pick among ``best`` until ``limit`` comes next; return indices of the picks and their scores."""
    scores = current[best]
    least = max(floor, -limit[0])
    if loops is not None:
        places, values = np.empty(len(best), np.int64), np.empty(len(best), current.dtype)
        count = loops.settle(rows, best, scores, floor, least, *limit, limit[0] < 0, places, values)
        current[best] = scores
        return places[:count], values[:count]
    each = list(rows)
    picks: list[int] = []
    got: list[float] = []
    while True:
        k = int(scores.argmax())
        value = scores.item(k)
        if value <= least and (
            value < floor or value <= 0 or (limit[0] < 0 and (-value, int(best[k])) > limit)
        ):
            break
        picks.append(k)
        got.append(value)
        np.multiply(scores, each[k], out=scores)
    current[best] = scores
    return np.array(picks, np.int64), np.array(got, current.dtype)


def _overlapping(
    shapes: Shapes, rows: np.ndarray, columns: np.ndarray, loops: compiled.Loops | None
) -> Iterator[Pairs]:
    """Yield (index into ``rows``, index into ``columns``, overlap) of all overlapping pairs, in chunks."""
    if loops is not None and isinstance(shapes, AxisAligned) and shapes.measures(iou):
        yield from compiled.overlapping(loops, shapes.take(rows).sides, shapes.take(columns).sides)
        return
    for row, column in touching(some(shapes.hulls, rows), some(shapes.hulls, columns)):
        value = shapes.overlap(rows[row], columns[column])
        if not value.min(initial=1) > 0:
            kept = np.flatnonzero(value > 0)
            row, column, value = row[kept], column[kept], value[kept]
        yield row, column, value


def _decay(
    shapes: Shapes,
    picks: np.ndarray,
    rest: np.ndarray,
    current: np.ndarray,
    factor: Factor,
    floor: float,
    left: np.ndarray | None,
    count: int,
    loops: compiled.Loops | None,
) -> None:
    """Multiply the scores of ``rest`` by the factors of ``picks``, one pick after the other."""
    before = current[rest] if left is not None else None
    found = []
    for row, column, value in _overlapping(shapes, picks, rest, loops):  # in order of the picks
        factors = factor(value, picks[row]).astype(current.dtype)
        if loops is not None:
            loops.multiply(current, rest[column], factors)
        else:
            np.multiply.at(current, rest[column], factors)
        if left is not None:
            found.append((row, column, factors))
    if left is not None and before is not None:
        lost = np.flatnonzero((before >= floor) & (current[rest] < floor))
        place = np.full(len(rest), -1)
        place[lost] = np.arange(len(lost))
        dense = np.ones((len(picks), len(lost)), current.dtype)
        for row, column, factors in found:
            mine = np.flatnonzero(place[column] >= 0)
            dense[row[mine], place[column[mine]]] = factors[mine]
        left[rest[lost]] = count + _fall(before[lost], dense, floor)


def _fall(scores: np.ndarray, factors: np.ndarray, floor: float) -> np.ndarray:
    """Return the (L,) first row of ``factors`` (P, L) that takes each of the ``scores`` below the floor."""
    passed = np.multiply.accumulate(np.concatenate([scores[None], factors]), axis=0)[1:]
    return (passed < floor).argmax(0)
