"""Weighted NMS: average each greedy cluster, weighted by score times overlap."""

from __future__ import annotations

import numpy as np

from wsstool.nms.candidates import Regions, falling, result
from wsstool.nms.engine.suppression import survivors
from wsstool.nms.result import NmsResult


def weighted(
    boxes: np.ndarray | Regions, scores: np.ndarray, *, iou_threshold: float = 0.5, join: str = "best"
) -> NmsResult:
    """Move each kept box M to the mean of its cluster, weighted by score times IoU with M.

        box = sum(w_i b_i) / sum(w_i),   w_i = s_i IoU(M, b_i),   score = s_M

    Args:
        boxes: (N, 4) xyxy in pixels, or ``Regions``; no rotated boxes or masks.
        scores: (N,) at least 0.
        iou_threshold: boxes above it are suppressed and join a cluster.
        join: the cluster that a suppressed box joins: ``best``: that of the best kept box that suppresses
            it, as published; ``most``: that of the kept box that it overlaps most (non-maximum weighted in
            ensemble-boxes).
    Raises:
        ValueError: regions that have no mean; another ``join``.
    Source:
        Zhou et al., CAD, ICCVW 2017; Ning et al., Inception SSD, ICMEW 2017. Written from the papers.
    """
    regions = Regions.of(boxes)
    coordinates = regions.averaged("weighted NMS")
    if join not in ("best", "most"):
        raise ValueError(f"join '{join}': give best or most")
    above = regions.bound(iou_threshold)
    keep, by = survivors(regions, scores, above)
    if join == "most":
        by = _most(regions, scores, keep, by, above)
    members = np.flatnonzero(by != np.arange(len(by)))
    heads = by[members]
    weights = np.asarray(scores, np.float64).copy()
    weights[members] *= regions.shapes.overlap(heads, members)
    total = np.bincount(by, weights, len(by))[keep]
    moved = np.stack([np.bincount(by, weights * side, len(by))[keep] for side in coordinates.T], 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        moved = np.where(total[:, None] > 0, moved / total[:, None], coordinates[keep])
    return result(regions, scores, keep, by, boxes=moved)


def _most(regions: Regions, scores: np.ndarray, keep: np.ndarray, by: np.ndarray, above: float) -> np.ndarray:
    """Return the kept box that each suppressed box overlaps most; ties go to the better box."""
    dropped = np.flatnonzero(by != np.arange(len(by)))
    i, j, value = regions.shapes.across(keep, dropped, regions.group, regions.n_groups, above)
    place = np.empty(len(by), np.int64)
    place[falling(scores)] = np.arange(len(by))
    order = np.lexsort((place[i], -value, j))
    order = order[place[i[order]] < place[j[order]]]  # a box joins a better one
    i, j = i[order], j[order]
    first = np.flatnonzero(np.diff(j, prepend=-1))
    by = by.copy()
    by[j[first]] = i[first]
    return by
