"""Variance voting: refine kept boxes by a variance-weighted average of their neighbours."""

from __future__ import annotations

import numpy as np

from wsstool.nms.candidates import Regions, falling, nearest, result
from wsstool.nms.engine.decay import Decayed, decayed
from wsstool.nms.engine.factor import Factor
from wsstool.nms.methods.soft import decay_of
from wsstool.nms.result import NmsResult


def variance_voting(
    boxes: np.ndarray | Regions,
    scores: np.ndarray,
    *,
    iou_threshold: float = 0.5,
    kernel: str = "gaussian",
    sigma: float = 0.5,
    score_floor: float = 0.001,
    sigma_t: float = 0.02,
    vote_threshold: float = 0.01,
    weights: str = "variance",
) -> NmsResult:
    """Refine each box picked by hard or soft NMS by a variance-weighted mean of its neighbours.

        x = sum(p_i x_i / std_i^2) / sum(p_i / std_i^2),   p_i = exp(-(1 - IoU(M, b_i))^2 / sigma_t)

    for each side x of the picked box M, over M and the boxes that are neither picked nor dropped yet: a box
    below ``score_floor`` is dropped after the first pick that overlaps it; one that no pick overlaps is
    picked itself at the end, as published. Needs the column ``std`` (N, 4): the standard deviation of each
    side, in any unit. Scores follow hard or soft NMS on the overlaps of the input.

    Args:
        boxes: ``Regions`` with that column; no rotated boxes or masks.
        scores: (N,) at least 0.
        iou_threshold: for ``hard`` and ``linear``.
        kernel: ``hard``, ``linear`` or ``gaussian``, see ``soft``.
        sigma: see ``soft``.
        score_floor: a box whose score is below is dropped where a pick overlaps it. An isolated weak box
            stays; ``score_threshold`` drops those of the input.
        sigma_t: width of the vote, (0, inf); smaller values limit the vote to closer boxes. 0.02 in the
            paper, 0.01 in code.
        vote_threshold: boxes with at most this IoU with M do not vote.
        weights: ``variance`` as above; ``deviation`` for the older softer-NMS: 1 / std, no p_i. It was used
            with ``vote_threshold`` 0.9, and boxes picked earlier also vote, with their refined coordinates.
    Raises:
        ValueError: no ``std`` or one not above 0, unknown kernel or ``weights``, a sigma not above 0.
    Source:
        He et al., KL-Loss, CVPR 2019, algorithm 1 (``deviation``: its first version, softer-NMS, 2018).
        Written from the paper and a description of the code.
    """
    regions = Regions.of(boxes)
    std = np.asarray(regions.column("std", "standard deviation of each side, (N, 4)"), np.float64).reshape(
        -1, 4
    )
    if weights not in ("variance", "deviation") or not sigma_t > 0:
        raise ValueError(
            f"weights '{weights}', sigma_t {sigma_t}: give variance or deviation, and sigma_t above 0"
        )
    if not (std > 0).all():
        raise ValueError("standard deviations must be above 0")
    coordinates = regions.averaged("variance voting")
    above = regions.bound(iou_threshold)
    factor = Hard(above) if kernel == "hard" else decay_of(kernel, sigma, above)
    found = decayed(regions, scores, factor, score_floor, track=True)
    is_low = np.asarray(scores) < score_floor
    left = np.where(is_low, _first_touch(regions, np.flatnonzero(is_low), found), found.left)
    found = _with_isolated(regions, scores, found, left, np.flatnonzero(is_low & (left < 0)))
    left = found.left
    was_picked = np.zeros(len(regions), bool)
    was_picked[found.keep] = True
    i, j, value = regions.shapes.pairs(regions.group, regions.n_groups, max(0.0, vote_threshold))
    head, voter, value = np.concatenate([i, j]), np.concatenate([j, i]), np.concatenate([value, value])
    present = (left[voter] < 0) | (left[voter] >= left[head])
    if weights == "deviation":
        votes = np.flatnonzero(was_picked[head] & (present | was_picked[voter]))
        moved = _in_turn(coordinates, 1 / std, found, head[votes], voter[votes])
    else:
        votes = np.flatnonzero(was_picked[head] & present)
        near = np.exp(-((1 - value[votes].astype(np.float64)) ** 2) / sigma_t)
        moved = _at_once(coordinates, 1 / std**2, found.keep, head[votes], voter[votes], near)
    return result(
        regions,
        scores,
        found.keep,
        nearest(regions, found.keep),
        boxes=moved,
        new_scores=found.scores,
    )


def _first_touch(regions: Regions, low: np.ndarray, found: Decayed) -> np.ndarray:
    """Return the (N,) number of the first pick that touches each of the regions ``low``; -1: none.

    A score is compared with the floor only when a pick touches its region, as published: at that pick, a
    region below the floor still votes.
    """
    never = np.iinfo(np.int64).max
    first = np.full(len(regions), never)
    head, touched, _ = regions.shapes.across(found.keep, low, regions.group, regions.n_groups, 0.0)
    np.minimum.at(first, touched, found.left[head])
    return np.where(first == never, -1, first)


def _with_isolated(
    regions: Regions, scores: np.ndarray, found: Decayed, left: np.ndarray, isolated: np.ndarray
) -> Decayed:
    """Pick the regions below the floor that no pick touches, best first; each drops all those it touches.

    Args:
        regions, scores: all.
        found: picks of the others.
        left: (N,) number of the pick at which each left; -1: the isolated ones.
        isolated: their numbers.
    """
    ranks = np.empty(len(isolated))
    ranks[falling(np.asarray(scores)[isolated])] = np.arange(len(isolated), 0, -1)  # a score may be 0
    more = decayed(regions.take(isolated), ranks, Hard(0.0), 0.5, track=True)
    left = left.copy()
    left[isolated] = more.left + 1 + found.left.max(initial=0)
    keep = isolated[more.keep]
    return Decayed(
        np.concatenate([found.keep, keep]),
        np.concatenate([found.scores, np.asarray(scores)[keep].astype(found.scores.dtype)]),
        left,
    )


class Hard(Factor):
    """0 where the overlap is above a threshold."""

    def __init__(self, above: float) -> None:
        self.above = above

    def __call__(self, value: np.ndarray, picked: np.ndarray) -> np.ndarray:
        return (value <= self.above).astype(value.dtype)


def _at_once(
    coordinates: np.ndarray,
    weights: np.ndarray,
    keep: np.ndarray,
    head: np.ndarray,
    voter: np.ndarray,
    near: np.ndarray,
) -> np.ndarray:
    """Return the (K, 4) means over the kept boxes and their voters."""
    total, moved = weights[keep], (weights * coordinates)[keep]
    row = np.zeros(len(weights), np.int64)
    row[keep] = np.arange(len(keep))
    for side in range(4):
        weight = near * weights[voter, side]
        total[:, side] += np.bincount(row[head], weight, len(keep))
        moved[:, side] += np.bincount(row[head], weight * coordinates[voter, side], len(keep))
    return moved / total


def _in_turn(
    coordinates: np.ndarray, weights: np.ndarray, found: Decayed, head: np.ndarray, voter: np.ndarray
) -> np.ndarray:
    """Refine pick after pick, without ``near``: refined boxes vote with their new coordinates."""
    moved = coordinates.copy()
    order = np.argsort(head, kind="stable")
    head, voter = head[order], voter[order]
    for k in found.keep[np.argsort(found.left[found.keep], kind="stable")]:
        first, last = np.searchsorted(head, [k, k + 1])
        who = np.append(voter[first:last], k)
        moved[k] = (weights[who] * moved[who]).sum(0) / weights[who].sum(0)
    return moved[found.keep]
