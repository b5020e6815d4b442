"""Cluster-NMS: Fast NMS iterated to its fixed point, optionally with score penalties and box averaging."""

from __future__ import annotations

import numpy as np

from wsstool.nms.candidates import Regions, falling, nearest, result
from wsstool.nms.engine.suppression import survivors
from wsstool.nms.result import NmsResult
from wsstool.nms.shapes import AxisAligned
from wsstool.nms.shapes.boxes import distance

PENALTIES = ("none", "spm", "spm-distance")


def cluster(
    boxes: np.ndarray | Regions,
    scores: np.ndarray,
    *,
    iou_threshold: float = 0.5,
    penalty: str = "none",
    sigma: float = 0.2,
    beta: float = 0.6,
    score_floor: float = 0.01,
    average: bool = False,
    average_threshold: float = 0.8,
) -> NmsResult:
    """Iterate Fast NMS until it equals greedy NMS, optionally with score penalties and averaged boxes.

    The fixed point is unique and computed directly. With ``spm`` no box is suppressed by its overlap: every
    score is multiplied, for each better survivor i, by exp(-IoU^2 / sigma); with ``spm-distance`` by
    min(1, exp(-IoU^2 / sigma) + (d^2 / c^2)^beta), where d is the distance of the centres and c the diagonal
    of the enclosing box.

    Args:
        boxes: (N, 4) xyxy in pixels, or ``Regions``.
        scores: (N,) at least 0 if there is a penalty.
        iou_threshold: see ``greedy``.
        penalty: ``none``, ``spm`` or ``spm-distance``.
        sigma: width of the penalty, (0, inf); smaller suppresses harder.
        beta: exponent of the distance, (0, inf).
        score_floor: with a penalty, boxes whose score is not above it are dropped.
        average: replace each survivor by the mean of itself and the worse boxes with an IoU above
            ``average_threshold``, weighted by IoU times new score.
        average_threshold: see ``average``.
    Raises:
        ValueError: unknown penalty, values not above 0, regions that have no mean or no distance.
    Source:
        Zheng et al., Cluster-NMS, IEEE Transactions on Cybernetics 2021, algorithm 2 and equations 14 to 18.
        Written from the paper.
    """
    regions = Regions.of(boxes)
    if penalty not in PENALTIES or not sigma > 0 or not beta > 0:
        raise ValueError(f"penalty '{penalty}': give one of {', '.join(PENALTIES)}; sigma and beta above 0")
    if penalty == "spm-distance" and not isinstance(regions.shapes, AxisAligned):
        raise ValueError("the distance penalty needs axis-aligned boxes")
    keep, by = survivors(regions, scores, regions.bound(iou_threshold))
    survivor = by == np.arange(len(by))
    new = np.asarray(scores, np.float64).copy()
    named: np.ndarray | None = by
    if penalty != "none":
        new = new * _penalties(regions, scores, survivor, penalty, sigma, beta)
        keep, named = np.flatnonzero(new > score_floor), None
    moved = _averaged(regions, scores, new, survivor, keep, average_threshold) if average else None
    return result(
        regions,
        scores,
        keep,
        nearest(regions, keep) if named is None else named,
        boxes=moved,
        new_scores=None if penalty == "none" else new[keep],
    )


def _ranked(regions: Regions, scores: np.ndarray, above: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (better, worse, overlap) of all pairs above a value, by input index."""
    order = falling(scores)
    ranked = regions.take(order)
    i, j, value = ranked.shapes.pairs(ranked.group, ranked.n_groups, above)
    return order[i], order[j], value


def _penalties(
    regions: Regions, scores: np.ndarray, survivor: np.ndarray, penalty: str, sigma: float, beta: float
) -> np.ndarray:
    better, worse, value = _ranked(regions, scores, 0.0)
    counts = np.flatnonzero(survivor[better])
    better, worse, value = better[counts], worse[counts], value[counts].astype(np.float64)
    factor = np.exp(-value * value / sigma)
    if penalty == "spm-distance":
        assert isinstance(regions.shapes, AxisAligned)
        far = regions.shapes.measured(distance).overlap(better, worse)
        factor = np.minimum(1, factor + far.astype(np.float64) ** beta)
    found = np.ones(len(regions))
    np.multiply.at(found, worse, factor)
    return found


def _averaged(
    regions: Regions,
    scores: np.ndarray,
    new: np.ndarray,
    survivor: np.ndarray,
    keep: np.ndarray,
    threshold: float,
) -> np.ndarray:
    coordinates = regions.averaged("Cluster-NMS with 'average'")
    better, worse, value = _ranked(regions, scores, regions.bound(threshold))
    counts = np.flatnonzero(survivor[better])
    better, worse, value = better[counts], worse[counts], value[counts]
    total = new.copy()
    moved = coordinates * new[:, None]
    weight = value.astype(np.float64) * new[worse]
    total += np.bincount(better, weight, len(total))
    for side in range(4):
        moved[:, side] += np.bincount(better, weight * coordinates[worse, side], len(total))
    return moved[keep] / np.maximum(total[keep, None], np.finfo(np.float64).tiny)
