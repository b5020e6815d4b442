"""The loop of all soft rules: pick the best, multiply the scores of those it overlaps, repeat.

Groups of up to some hundred boxes run in step with each other, one pick of every group at a time, on dense
rows of factors. A larger group is taken in stages: only boxes among the best few hundred can be picked
before the worst of them, so that these are settled alone, and then decay all the rest at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wsstool.nms.regions import Regions


class Factor:
    """What a pick does to the scores of the others: 0 to 1, and 1 where they do not overlap."""

    def __call__(self, value: np.ndarray, picked: np.ndarray) -> np.ndarray:
        """Factors for overlaps ``value`` with the regions ``picked``, which broadcasts against it."""
        raise AttributeError("a factor says how overlaps weigh")

    def product(self, value: np.ndarray, picked: np.ndarray) -> np.ndarray:
        """(C,) product of the factors of the rows of an (R, C) matrix of overlaps."""
        return np.multiply.reduce(self(value, picked[:, None]), axis=0)


_LANE = 1024  #: boxes of a group that runs dense
_STAGE = 256  #: boxes that are settled together in a larger one
_HOT = 2048  #: boxes that are kept up to date after every stage; those with lower scores wait
_FACTORS = 1 << 22  #: numbers in the dense rows that are held at a time


@dataclass
class Decayed:
    """Args:
    keep: (K,) int64 picked regions, in the order of the picks within each group.
    scores: (K,) their scores when picked.
    left: (N,) int64, number of the pick, within its group, at which a region was picked or dropped.
    """

    keep: np.ndarray
    scores: np.ndarray
    left: np.ndarray


def decayed(
    regions: Regions, scores: np.ndarray, factor: Factor, floor: float, *, track: bool = False
) -> Decayed:
    """Run the loop on every group.

    Args:
        scores: (N,) at least 0.
        factor: see ``Factor``.
        floor: a region whose score is lower is dropped at once.
        track: ``left`` is wanted; large groups are then not taken in stages.
    Raises:
        ValueError: a negative score.
    """
    if len(scores) and scores.min() < 0:
        raise ValueError("soft rules multiply scores, which must not be negative")
    current = np.array(scores)
    sizes = np.bincount(regions.group, minlength=regions.n_groups)
    left = np.full(len(scores), -1)
    picked: list[np.ndarray] = []
    reached: list[np.ndarray] = []
    large = np.zeros(0, np.int64) if track else np.flatnonzero(sizes > _LANE)
    for one in large:
        members = np.flatnonzero(regions.group == one)
        keep, got = _stages(regions, members, current, factor, floor)
        picked.append(keep)
        reached.append(got)
    small = np.flatnonzero(~np.isin(regions.group, large)) if len(large) else np.arange(len(scores))
    for keep, got in _lanes(regions, small, current, factor, floor, left, track):
        picked.append(keep)
        reached.append(got)
    keep = np.concatenate([np.zeros(0, np.int64), *picked])
    got = np.concatenate([np.zeros(0, current.dtype), *reached])
    if floor <= 0:  # scores of 0 are picked last, and change nothing
        rest = np.setdiff1d(np.flatnonzero(current >= max(floor, 0)), keep)
        keep, got = np.concatenate([keep, rest]), np.concatenate([got, np.zeros(len(rest), got.dtype)])
    return Decayed(keep, got, left)


def _lanes(
    regions: Regions,
    chosen: np.ndarray,
    current: np.ndarray,
    factor: Factor,
    floor: float,
    left: np.ndarray,
    track: bool,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """All groups of ``chosen``, side by side, groups of similar size together."""
    if not len(chosen):
        return []
    group = regions.group[chosen]
    order = np.argsort(group, kind="stable")
    sizes = np.bincount(group, minlength=regions.n_groups)
    place = np.empty(len(chosen), np.int64)  # of each within its group
    place[order] = np.arange(len(chosen)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    i, j, value = regions.shapes.take(chosen).pairs(group, regions.n_groups, 0.0)
    forth, back = factor(value, chosen[i]), factor(value, chosen[j])
    by_size = np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)]
    lane, part = np.empty(regions.n_groups, np.int64), np.empty(regions.n_groups, np.int64)
    parts: list[tuple[int, int]] = []
    first = 0
    while first < len(by_size):
        width = int(sizes[by_size[first]])
        count = max(1, min(len(by_size) - first, _FACTORS // (width * width)))
        lane[by_size[first : first + count]] = np.arange(count)
        part[by_size[first : first + count]] = len(parts)
        parts.append((count, width))
        first += count
    box_part, pair_part = part[group], part[group[i]]
    found = []
    for number, (count, width) in enumerate(parts):
        pairs = np.flatnonzero(pair_part == number) if len(parts) > 1 else slice(None)
        members = np.flatnonzero(box_part == number) if len(parts) > 1 else np.arange(len(chosen))
        a, b, rows = place[i[pairs]], place[j[pairs]], lane[group[i[pairs]]]
        factors = np.ones((count, width, width), current.dtype)
        flat = factors.reshape(-1)
        flat[(rows * width + a) * width + b] = forth[pairs]
        flat[(rows * width + b) * width + a] = back[pairs]
        factors[:, np.arange(width), np.arange(width)] = -1  # what is picked is negative from then on
        at = lane[group[members]] * width + place[members]
        scores = np.full(count * width, -1, current.dtype)
        scores[at] = current[chosen[members]]
        owner = np.zeros(count * width, np.int64)
        owner[at] = chosen[members]
        gone = np.full(count * width, -1) if track else None
        slots, got = _in_step(factors, scores.reshape(count, width), floor, gone)
        current[chosen[members]] = scores[at]
        if gone is not None:
            left[chosen[members]] = gone[at]
        found.append((owner[slots], got))
    return found


def _in_step(
    factors: np.ndarray, scores: np.ndarray, floor: float, gone: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Pick the best of every lane until all are settled: flat places of the picks and their scores.

    ``scores`` (G, M) is decayed in place; ``gone`` (G * M,) gets the step at which each was picked or
    dropped.
    """
    width = scores.shape[1]
    lanes = np.arange(len(scores))
    current = scores
    picked, got = [], []
    for step in range(width):
        best = current.argmax(1)
        value = current[np.arange(len(lanes)), best]
        going = (value >= floor) & (value > 0)
        if not going.all():
            scores[lanes] = current
            if not going.any():
                break
            lanes, current, best, value = lanes[going], current[going], best[going], value[going]
        picked.append(lanes * width + best)
        got.append(value)
        current *= factors[lanes, best]
        if gone is not None:
            rows = gone.reshape(-1, width)[lanes]
            rows[(rows < 0) & (current < floor)] = step
            gone.reshape(-1, width)[lanes] = rows
    scores[lanes] = current
    return np.concatenate([np.zeros(0, np.int64), *picked]), np.concatenate([np.zeros(0, scores.dtype), *got])


def _stages(
    regions: Regions, members: np.ndarray, current: np.ndarray, factor: Factor, floor: float
) -> tuple[np.ndarray, np.ndarray]:
    """One large group. ``current`` is decayed in place; dropped and picked ones end below ``floor``.

    The best few thousand are hot: up to date after every stage. The scores of the cold ones are those of
        some time
    ago, which they cannot exceed; they are brought up to date when the best of them might be next.
    """
    picked, got = [], []
    waiting = members[(current[members] >= floor) & (current[members] > 0)]
    while len(waiting):
        order = np.lexsort((waiting, -current[waiting]))
        hot, cold = waiting[order[:_HOT]], waiting[order[_HOT:]]
        limit = (-float(current[cold[0]]), int(cold[0])) if len(cold) else (0.0, 0)
        since: list[np.ndarray] = []
        while len(hot):
            order = np.lexsort((hot, -current[hot]))
            if (-float(current[hot[order[0]]]), int(hot[order[0]])) > limit and since:
                break
            best, rest = np.sort(hot[order[:_STAGE]]), hot[order[_STAGE:]]
            next_ = (-float(current[rest[0]]), int(rest[0])) if len(rest) else (0.0, 0)
            chosen, values = _settle(regions, best, current, factor, floor, min(limit, next_))
            since.append(chosen)
            got.extend(values)
            _multiply(regions, chosen, rest, current, factor)
            hot = hot[(current[hot] >= floor) & (current[hot] > 0)]
        picked.extend(since)
        if since:
            _multiply(regions, np.concatenate(since), cold, current, factor)
        waiting = np.concatenate([hot, cold])
        waiting = waiting[(current[waiting] >= floor) & (current[waiting] > 0)]
    return np.concatenate([members[:0], *picked]), np.array(got, current.dtype)


def _settle(
    regions: Regions,
    best: np.ndarray,
    current: np.ndarray,
    factor: Factor,
    floor: float,
    limit: tuple[float, int],
) -> tuple[np.ndarray, list[float]]:
    """Pick among ``best`` (in rising order) until another, ``limit`` (minus its score, number), is due."""
    scores = current[best]
    rows = list(_rows(regions, best, factor).astype(current.dtype, copy=False))
    picks: list[int] = []
    got: list[float] = []
    least = max(floor, -limit[0])
    while True:
        k = int(scores.argmax())
        value = scores.item(k)
        if value <= least and (
            value < floor or value <= 0 or ((-value, int(best[k])) > limit and (limit[0] < 0 or len(picks)))
        ):
            break
        picks.append(k)
        got.append(value)
        np.multiply(scores, rows[k], out=scores)
    current[best] = scores
    return best[picks], got


def _multiply(
    regions: Regions, picks: np.ndarray, rest: np.ndarray, current: np.ndarray, factor: Factor
) -> None:
    for rows, columns, value in regions.shapes.tiles(picks, rest):
        current[columns] *= factor.product(value, rows)


def _rows(regions: Regions, chosen: np.ndarray, factor: Factor) -> np.ndarray:
    """(M, M) factors of each on each, -1 on the diagonal; a few rows at a time, for the cache."""
    rows = []
    for first in range(0, len(chosen), 64):
        some = chosen[first : first + 64]
        rows.append(factor(regions.shapes.block(some, chosen), some[:, None]))
    found = np.concatenate(rows)
    np.fill_diagonal(found, -1)
    return found
