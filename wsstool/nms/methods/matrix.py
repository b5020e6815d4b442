"""Matrix NMS: decay all scores in parallel, compensated by how strongly suppressors decay themselves."""

from __future__ import annotations

import numpy as np

from wsstool.nms.candidates import Regions, falling, nearest, result
from wsstool.nms.result import NmsResult


def matrix(
    boxes: np.ndarray | Regions,
    scores: np.ndarray,
    *,
    iou_threshold: float = 0.0,
    kernel: str = "gaussian",
    sigma: float = 2.0,
    score_floor: float = 0.0,
) -> NmsResult:
    """Decay all scores in parallel, compensated by how strongly each suppressor is itself suppressed.

    Each score is multiplied by min_i f(IoU_ij) / f(max_k IoU_ki) over the better boxes i, and k better than
    i. f(x) = exp(-sigma x^2) for ``gaussian``, 1 - x for ``linear``.

    Args:
        boxes: (N, 4) xyxy in pixels, or ``Regions``.
        scores: (N,) at least 0, in any order.
        iou_threshold: overlaps up to it count as none, [0, 1]; 0 in the paper.
        kernel: ``gaussian`` or ``linear``.
        sigma: Gaussian factor, (0, inf); larger suppresses more. Here it multiplies; in soft NMS it divides.
        score_floor: boxes whose decayed score is lower are dropped. The paper's pipeline uses 0.05.
    Raises:
        ValueError: another kernel, a ``sigma`` not above 0.
    Notes:
        A suppressor that is a copy of a better box (f = 0 for ``linear``) is skipped: the better box decides.
    Source:
        Wang et al., SOLOv2, NeurIPS 2020, section 3.3, equations 4 and 5. Written from the paper.
    """
    if kernel not in ("gaussian", "linear") or not sigma > 0:
        raise ValueError(f"kernel '{kernel}', sigma {sigma}: give gaussian or linear, and sigma above 0")
    regions = Regions.of(boxes)
    order = falling(scores)
    ranked = regions.take(order)
    above = max(0.0, regions.bound(iou_threshold))
    i, j, value = ranked.shapes.pairs(ranked.group, ranked.n_groups, above)
    decay = factors(i, j, value.astype(np.float64), len(order), kernel, sigma)
    new = scores[order] * decay
    stays = np.flatnonzero(new >= score_floor)
    keep = order[stays]
    return result(regions, scores, keep, nearest(regions, keep), new_scores=new[stays])


def factors(
    i: np.ndarray, j: np.ndarray, value: np.ndarray, n: int, kernel: str = "gaussian", sigma: float = 2.0
) -> np.ndarray:
    """Return the (n,) decay of each item from all pairs i < j that overlap.

    >>> value = np.array([0.6, 0.2, 0.7])
    >>> factors(np.array([0, 0, 1]), np.array([1, 2, 2]), value, 3, "linear").round(4)
    array([1.  , 0.4 , 0.75])
    """

    def f(x: np.ndarray) -> np.ndarray:
        return np.exp(-sigma * x * x) if kernel == "gaussian" else 1 - x

    most = np.zeros(n)
    np.maximum.at(most, j, value)
    eased = f(most)[i]
    counts = np.flatnonzero(eased > 0)
    decay = np.ones(n)
    np.minimum.at(decay, j[counts], f(value[counts]) / eased[counts])
    return decay
