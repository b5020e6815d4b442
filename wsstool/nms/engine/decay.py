"""The loop of all soft methods: pick the best, multiply the scores of those it overlaps, repeat.

Only overlapping regions change each other's scores, so that groups split into islands that are processed
independently: small ones in lockstep, one pick of each at a time; large ones in stages. Either way scores are
multiplied pick by pick, in the order of the picks and in their own precision.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wsstool.nms.candidates import Regions
from wsstool.nms.engine.factor import Factor
from wsstool.nms.engine.islands import islands
from wsstool.nms.engine.lanes import in_step
from wsstool.nms.engine.stepwise import in_stages

_LANE = 768  #: largest island that is processed in lockstep with others


@dataclass
class Decayed:
    """Result of the decay loop.

    Args:
        keep: (K,) int64 picked regions, in the order of the picks within each island.
        scores: (K,) their scores when picked.
        left: (N,) int64, number of the pick, within its island, at which a region was picked or dropped; -1:
            never, or not requested.
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
        floor: regions whose score falls below are dropped at once.
        track: also compute ``left``.
    Raises:
        ValueError: a negative score.
    """
    if len(scores) and scores.min() < 0:
        raise ValueError("soft methods need scores of 0 or more")
    current = np.array(scores)
    left = np.full(len(scores), -1)
    island, count = islands(regions.shapes.hulls, regions.group, regions.n_groups)
    sizes = np.bincount(island, minlength=count)
    found = [(np.zeros(0, np.int64), np.zeros(0, current.dtype))]
    for one in np.flatnonzero(sizes > _LANE):
        members = np.flatnonzero(island == one)
        found.append(in_stages(regions.shapes, members, current, factor, floor, left if track else None))
    small = np.flatnonzero(sizes[island] <= _LANE)
    found += in_step(regions.shapes, small, island, count, current, factor, floor, left if track else None)
    keep, got = (np.concatenate(part) for part in zip(*found, strict=True))
    if floor <= 0:  # scores of 0 are picked last, and change nothing
        rest = np.setdiff1d(np.flatnonzero(current >= max(floor, 0)), keep)
        keep, got = np.concatenate([keep, rest]), np.concatenate([got, np.zeros(len(rest), got.dtype)])
    return Decayed(keep, got, left)
