"""Weighted boxes fusion: merge the boxes of several models into one box per object."""

from __future__ import annotations

import numpy as np

from wsstool.family import option_text
from wsstool.nms.candidates import Regions, falling, result
from wsstool.nms.result import NmsResult
from wsstool.nms.shapes.boxes import Sides, iou, sides

RULES = ("avg", "max", "box-and-model-avg", "absent-model-aware-avg")


def fusion(
    boxes: np.ndarray | Regions,
    scores: np.ndarray,
    *,
    iou_threshold: float = 0.55,
    score_rule: str = "avg",
    model_weights: tuple[float, ...] = (),
    overflow: bool = False,
) -> NmsResult:
    """Merge overlapping boxes of several models into weighted mean boxes.

    Each box, the best first, joins the fused box that it overlaps most, which is updated at once. A fused box
    is the mean of its boxes, weighted by score times model weight; its score s is the mean (for ``max`` the
    largest) of score times weight, then rescaled by how many models found it.

    Args:
        boxes: (N, 4) xyxy in pixels, or ``Regions`` with the column ``model`` (N,), numbers from 0; without
            it all boxes are of one model. No rotated boxes or masks.
        scores: (N,) at least 0.
        iou_threshold: a box whose best IoU with the fused boxes is not above it begins a new one.
        score_rule: ``avg``: s min(models, boxes) / sum of weights; ``max``: s / largest weight;
            ``box-and-model-avg``: sum of scores over the sum of the weights of the boxes, times the weight
            share of the contributing models; ``absent-model-aware-avg``: the weights of the other models are
            added to the sum instead.
        model_weights: comma-separated, one number per model; empty: 1 each.
        overflow: ``avg`` without the minimum, so that scores may exceed 1.
    Returns:
        ``keep`` holds the best box of each fused one, ``cluster`` the fused box of each input.
    Raises:
        ValueError: unknown rule, weights that are not positive numbers or too few, regions without a mean.
    Source:
        Solovyev et al., Weighted Boxes Fusion, Image and Vision Computing 2021. Written from the paper.
    """
    regions = Regions.of(boxes)
    coordinates = regions.averaged("weighted boxes fusion")
    if score_rule not in RULES:
        raise ValueError(f"score_rule '{score_rule}': give one of {', '.join(RULES)}")
    model = np.asarray(regions.columns.get("model", np.zeros(len(regions))), np.int64)
    weights = _weights(model_weights, int(model.max(initial=0)) + 1)
    weighted = np.asarray(scores, np.float64) * weights[model]
    above = regions.bound(iou_threshold)
    order = falling(weighted)
    members = np.empty(len(order), np.int64)
    heads: list[int] = []
    moved: list[np.ndarray] = []
    by_group = order[np.argsort(regions.group[order], kind="stable")]
    bounds = np.flatnonzero(np.diff(regions.group[by_group])) + 1
    for one in np.split(by_group, bounds) if len(order) else []:
        places, found = _fuse(coordinates[one], weighted[one], above)
        members[one] = len(heads) + places
        first = np.full(len(found), len(one))
        np.minimum.at(first, places, np.arange(len(one)))
        heads.extend(one[first].tolist())
        moved.append(found)
    keep = np.array(heads, np.int64)
    new = _rescaled(members, len(keep), weighted, model, weights, score_rule, overflow)
    fused = np.concatenate(moved) if moved else np.zeros((0, 4))
    return result(regions, scores, keep, keep[members], boxes=fused, new_scores=new)


def _weights(given: tuple[float, ...], n_models: int) -> np.ndarray:
    found = np.array(given, np.float64) if len(given) else np.ones(n_models)
    if len(found) < n_models or not (np.isfinite(found) & (found > 0)).all():
        raise ValueError(
            f"model_weights '{option_text(given)}': give one number above 0 for each of {n_models} models"
        )
    return found


def _fuse(boxes: np.ndarray, weights: np.ndarray, above: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the (M,) fused box of each box and the (K, 4) fused boxes, for one group in falling order."""
    places = np.empty(len(boxes), np.int64)
    fused = np.empty((5, len(boxes)))  # x1, y1, x2, y2, area
    sums, total, count = np.zeros((len(boxes), 4)), np.zeros(len(boxes)), 0
    single = sides(boxes)
    for k in range(len(boxes)):
        best = count
        if count:
            overlap = _overlaps(fused[:, :count], single, k)
            nearest = int(overlap.argmax())
            best = nearest if overlap[nearest] > above else count
        places[k] = best
        sums[best] += weights[k] * boxes[k]
        total[best] += weights[k]
        box = sums[best] / total[best] if total[best] > 0 else boxes[k]
        fused[:4, best] = box
        fused[4, best] = (box[2] - box[0]) * (box[3] - box[1])
        count = max(count, best + 1)
    return places, fused[:4, :count].T.copy()


def _overlaps(fused: np.ndarray, single: Sides, k: int) -> np.ndarray:
    x1, y1, x2, y2, area = fused
    a, b, c, d, e = (side[k : k + 1] for side in single)
    return iou((x1, y1, x2, y2, area), (a, b, c, d, e))


def _rescaled(
    members: np.ndarray,
    count: int,
    weighted: np.ndarray,
    model: np.ndarray,
    weights: np.ndarray,
    rule: str,
    overflow: bool,
) -> np.ndarray:
    total = np.bincount(members, weighted, count)
    boxes = np.bincount(members, minlength=count)
    if rule == "max":
        best = np.zeros(count)
        np.maximum.at(best, members, weighted)
        return best / weights.max()
    if rule == "avg":
        found = boxes if overflow else np.minimum(boxes, len(weights))
        return total / np.maximum(boxes, 1) * found / weights.sum()
    took_part = np.zeros((count, len(weights)), bool)
    took_part[members, model] = True
    own = np.bincount(members, weights[model], count)
    if rule == "box-and-model-avg":
        return total / np.maximum(own, 1e-300) * (took_part @ weights) / weights.sum()
    return total / (own + (~took_part) @ weights)
