"""Adaptive NMS: allow more overlap where objects are dense."""

from __future__ import annotations

import numpy as np

from wsstool.nms.candidates import Regions, falling, nearest, result
from wsstool.nms.engine.decay import decayed
from wsstool.nms.engine.factor import Factor
from wsstool.nms.engine.suppression import decide, survivors
from wsstool.nms.result import NmsResult


def adaptive(
    boxes: np.ndarray | Regions,
    scores: np.ndarray,
    *,
    iou_threshold: float = 0.5,
    kernel: str = "hard",
    sigma: float = 0.5,
    score_floor: float = 0.001,
    estimate_density: bool = False,
) -> NmsResult:
    """Raise the threshold of greedy or soft NMS to the object density around the picked box.

    The threshold of a picked box M is max(iou_threshold, density of M). Needs the column ``density`` (N,):
    the largest overlap of the object with another object, as predicted by a network; or
    ``estimate_density``. ``hard`` suppresses a box with IoU(M, b) >= threshold; ``linear`` multiplies its
    score by 1 - IoU, ``gaussian`` by exp(-IoU^2 / sigma), only there.

    Args:
        boxes: ``Regions``, with that column or without.
        scores: (N,) at least 0 for the soft kernels.
        iou_threshold: lowest threshold.
        kernel: ``hard``, ``linear`` or ``gaussian``.
        sigma: Gaussian width, (0, inf).
        score_floor: for the soft kernels, see ``soft``.
        estimate_density: estimate the density from the boxes, see ``estimated_density``.
    Raises:
        ValueError: no density, another kernel, a ``sigma`` not above 0.
    Source:
        Liu et al., CVPR 2019, equations 4 and 5. Written from the paper; no code of the authors is public.
    """
    if kernel not in ("hard", "linear", "gaussian") or not sigma > 0:
        raise ValueError(
            f"kernel '{kernel}', sigma {sigma}: give hard, linear or gaussian, and sigma above 0"
        )
    regions = Regions.of(boxes)
    if estimate_density:
        density = estimated_density(regions, scores)
    else:
        density = regions.column("density", "largest overlap with another object; or set estimate_density")
    at = np.maximum(np.asarray(density, np.float64), iou_threshold)

    factor = Reached(at, regions.inclusive is False, kernel, sigma)
    if kernel == "hard":
        order = falling(scores)
        ranked = regions.take(order)
        i, j, value = ranked.shapes.pairs(ranked.group, ranked.n_groups, regions.bound(iou_threshold, True))
        dropping = np.flatnonzero(factor.reached(value, order[i]))
        i, j = i[dropping], j[dropping]
        stays = decide(i, j, len(order))
        by = np.arange(len(order))
        sure = stays[i]
        np.minimum.at(by, j[sure], i[sure])
        named = np.empty(len(order), np.int64)
        named[order] = order[by]
        return result(regions, scores, order[stays], named)

    found = decayed(regions, scores, factor, score_floor)
    return result(regions, scores, found.keep, nearest(regions, found.keep), new_scores=found.scores)


class Reached(Factor):
    """1 - IoU or exp(-IoU^2 / sigma) where the overlap reaches the threshold of the picked region."""

    def __init__(self, at: np.ndarray, strict: bool, kernel: str, sigma: float) -> None:
        self.at, self.strict, self.kernel, self.sigma = at, strict, kernel, sigma

    def reached(self, value: np.ndarray, picked: np.ndarray) -> np.ndarray:
        return value > self.at[picked] if self.strict else value >= self.at[picked]

    def __call__(self, value: np.ndarray, picked: np.ndarray) -> np.ndarray:
        weaker = 1 - value if self.kernel == "linear" else np.exp(-value * value / self.sigma)
        return np.where(self.reached(value, picked), weaker, 1.0)


def estimated_density(regions: Regions, scores: np.ndarray, same: float = 0.8) -> np.ndarray:
    """Estimate the (N,) density from the boxes alone.

    Boxes that overlap by more than ``same`` count as one object (greedy); each gets the density of its
    object, the largest overlap with another one. An approximation: two boxes of one object that differ more
    count as neighbours.

    Notes:
        Since an overlap equal to the threshold suppresses, as published, a picked object still removes the
        neighbour that its density is the overlap with, and spares those that overlap less. If it spared that
        one too, nothing that counts as an object could be suppressed: greedy NMS at ``same``.
    """
    keep, by = survivors(regions, scores, same)
    objects = regions.take(keep)
    i, j, value = objects.shapes.pairs(objects.group, objects.n_groups, 0.0)
    most = np.zeros(len(keep))
    np.maximum.at(most, i, value)
    np.maximum.at(most, j, value)
    density = np.zeros(len(by))
    density[keep] = most
    return density[by]
