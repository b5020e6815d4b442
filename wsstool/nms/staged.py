"""A large island of a soft rule: the best few hundred are settled alone, then decay all the rest at once.

Only regions among the best few hundred can be picked before the worst of them, so that nothing else needs to
be known until their scores have fallen to that of the best of the rest.
"""

from __future__ import annotations

import numpy as np

from wsstool.nms.factor import Factor
from wsstool.nms.grid import neighbourhoods
from wsstool.nms.islands import some, touching
from wsstool.nms.shapes import Pairs, Shapes

_STAGE = 224  #: regions that are settled together
_NEIGHBOURS = 48  #: regions that lie side by side


def in_stages(
    shapes: Shapes,
    members: np.ndarray,
    current: np.ndarray,
    factor: Factor,
    floor: float,
    left: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Settle ``members`` (M,), rising; arguments and result as for ``lanes.in_step``."""
    picked, got = [members[:0]], [current[:0]]
    # Neighbours side by side: those that a pick meets then come in a few runs, which are found fast.
    waiting = members[np.concatenate(list(neighbourhoods(some(shapes.hulls, members), _NEIGHBOURS)))]
    if left is not None:
        left[members[current[members] < floor]] = 0
    count = 0
    while True:
        waiting = waiting[(current[waiting] >= floor) & (current[waiting] > 0)]
        if not len(waiting):
            return np.concatenate(picked), np.concatenate(got)
        best, rest, limit = _best(waiting, current)
        rows = _rows(shapes, best, current.dtype, factor)
        before = current[best]
        picks, values = _settle(rows, best, current, floor, limit)
        if left is not None:
            left[best[picks]] = count + np.arange(len(picks))
            lost = np.flatnonzero((current[best] >= 0) & (current[best] < floor))
            left[best[lost]] = count + _fall(before[lost], rows[picks][:, lost], floor)
        chosen = best[picks]
        picked.append(chosen)
        got.append(np.array(values, current.dtype))
        if len(chosen) and len(rest):
            _decay(shapes, chosen, rest, current, factor, floor, left, count)
        count += len(picks)


def _best(waiting: np.ndarray, current: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[float, int]]:
    """The best few hundred, rising; the others; (minus the score, number) of the best of the others."""
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


def _rows(shapes: Shapes, best: np.ndarray, dtype: np.dtype, factor: Factor) -> np.ndarray:
    """(M, M) factors of each on each, -1 on the diagonal: what is picked is negative from then on."""
    found = np.ones((len(best), len(best)), dtype)
    hulls = some(shapes.hulls, best)
    for row, column in touching(hulls, hulls):
        row, column, value = _overlapping(shapes, best, best, row, column)
        found[row, column] = factor(value, best[row])
    np.fill_diagonal(found, -1)
    return found


def _settle(
    rows: np.ndarray, best: np.ndarray, current: np.ndarray, floor: float, limit: tuple[float, int]
) -> tuple[list[int], list[float]]:
    """Pick among ``best`` until another, ``limit``, is due: places of the picks and their scores."""
    scores = current[best]
    each = list(rows)
    picks: list[int] = []
    got: list[float] = []
    least = max(floor, -limit[0])
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
    return picks, got


def _overlapping(
    shapes: Shapes, rows: np.ndarray, columns: np.ndarray, row: np.ndarray, column: np.ndarray
) -> Pairs:
    """Those of the pairs (place in ``rows``, place in ``columns``) that overlap."""
    value = shapes.overlap(rows[row], columns[column])
    if value.min(initial=1) > 0:
        return row, column, value
    kept = np.flatnonzero(value > 0)
    return row[kept], column[kept], value[kept]


def _decay(
    shapes: Shapes,
    picks: np.ndarray,
    rest: np.ndarray,
    current: np.ndarray,
    factor: Factor,
    floor: float,
    left: np.ndarray | None,
    count: int,
) -> None:
    """Multiply the scores of ``rest`` by the factors of ``picks``, one after the other."""
    before = current[rest] if left is not None else None
    found = []
    for row, column in touching(some(shapes.hulls, picks), some(shapes.hulls, rest)):  # in order of the picks
        row, column, value = _overlapping(shapes, picks, rest, row, column)
        factors = factor(value, picks[row]).astype(current.dtype)
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
    """(L,) first row of ``factors`` (P, L) that takes each of the ``scores`` below the floor."""
    passed = np.multiply.accumulate(np.concatenate([scores[None], factors]), axis=0)[1:]
    return (passed < floor).argmax(0)
