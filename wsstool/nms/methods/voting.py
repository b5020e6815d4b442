"""Box voting: greedy NMS, then each kept box is averaged with all boxes that overlap it."""

from __future__ import annotations

import numpy as np

from wsstool.nms.candidates import Regions, result
from wsstool.nms.engine.suppression import survivors
from wsstool.nms.result import NmsResult
from wsstool.nms.shapes import AxisAligned

RULES = ("id", "avg", "iou-avg", "temp-avg", "generalized-avg", "quasi-sum")


def voting(
    boxes: np.ndarray | Regions,
    scores: np.ndarray,
    *,
    iou_threshold: float = 0.5,
    vote_threshold: float = 0.8,
    score_rule: str = "id",
    beta: float = 1.0,
    vote_plus_one: bool = False,
) -> NmsResult:
    """Move each kept box to the score-weighted mean of all input boxes with IoU >= ``vote_threshold``.

    A box, suppressed or not, may vote for several kept ones.

    Args:
        boxes: (N, 4) xyxy in pixels, or ``Regions``; no rotated boxes or masks.
        scores: (N,) at least 0; at most 1 for ``temp-avg``.
        iou_threshold: for the suppression.
        vote_threshold: [0, 1].
        score_rule: new score from the scores s of the voters: ``id`` score of the kept box; ``avg`` mean;
            ``iou-avg`` mean weighted by IoU; ``temp-avg`` mean of s^(1/beta) / (s^(1/beta) +
            (1 - s)^(1/beta)); ``generalized-avg`` (mean of s^beta)^(1/beta); ``quasi-sum`` sum / count^beta.
        beta: see ``score_rule``, (0, inf).
        vote_plus_one: compute the votes in the pixel-inclusive convention, as Detectron does whatever its
            suppression uses.
    Raises:
        ValueError: regions that have no mean, another rule, a ``beta`` not above 0.
    Source:
        Gidaris and Komodakis, ICCV 2015, section 5; score rules as described by Detectron. Written from
        these.
    """
    regions = Regions.of(boxes)
    coordinates = regions.averaged("box voting")
    if score_rule not in RULES or not beta > 0:
        raise ValueError(
            f"score_rule '{score_rule}', beta {beta}: give one of {', '.join(RULES)}, and beta above 0"
        )
    keep, by = survivors(regions, scores, regions.bound(iou_threshold))
    shapes = regions.shapes
    if vote_plus_one:
        shapes = AxisAligned(regions.boxes, plus_one=True)
    head, voter, value = shapes.across(
        keep, np.arange(len(regions)), regions.group, regions.n_groups, regions.bound(vote_threshold, True)
    )
    row = np.zeros(len(regions), np.int64)
    row[keep] = np.arange(len(keep))
    others = head != voter  # a kept box votes for itself, even an empty one
    head = np.concatenate([row[head[others]], np.arange(len(keep))])
    voter = np.concatenate([voter[others], keep])
    value = np.concatenate([value[others].astype(np.float64), np.ones(len(keep))])
    s = np.asarray(scores, np.float64)[voter]

    def summed(x: np.ndarray) -> np.ndarray:
        return np.bincount(head, x, len(keep))

    total, count = summed(s), summed(np.ones(len(s)))
    with np.errstate(invalid="ignore", divide="ignore"):
        moved = np.stack([summed(s * side[voter]) for side in coordinates.T], 1) / total[:, None]
    moved = np.where(total[:, None] > 0, moved, coordinates[keep])
    if score_rule == "id":
        new = np.asarray(scores, np.float64)[keep]
    elif score_rule == "avg":
        new = total / count
    elif score_rule == "iou-avg":
        new = summed(s * value) / summed(value)
    elif score_rule == "temp-avg":
        yes, no = s ** (1 / beta), (1 - s) ** (1 / beta)
        new = summed(yes / (yes + no)) / count
    elif score_rule == "generalized-avg":
        new = (summed(s**beta) / count) ** (1 / beta)
    else:
        new = total / count**beta
    return result(regions, scores, keep, by, boxes=moved, new_scores=new)
