"""Soft-NMS: decay the scores of overlapping boxes instead of removing them."""

from __future__ import annotations

import numpy as np

from wsstool.nms.candidates import Regions, nearest, result
from wsstool.nms.engine.decay import decayed
from wsstool.nms.engine.factor import Factor
from wsstool.nms.result import NmsResult


def soft(
    boxes: np.ndarray | Regions,
    scores: np.ndarray,
    *,
    iou_threshold: float = 0.3,
    kernel: str = "gaussian",
    sigma: float = 0.5,
    score_floor: float = 0.001,
) -> NmsResult:
    """Decay the scores of boxes that overlap a better one instead of removing them.

    Repeatedly picks the best box M and multiplies the score of every other box b by f(IoU(M, b)), where
    f(x) = exp(-x^2 / sigma) for ``gaussian``; for ``linear`` 1 - x if x is above the threshold, else 1.

    Args:
        boxes: (N, 4) xyxy in pixels, or ``Regions``.
        scores: (N,) at least 0.
        iou_threshold: for ``linear`` only; the Gaussian has none.
        kernel: ``gaussian`` or ``linear``.
        sigma: Gaussian width in squared-IoU units, (0, inf); smaller suppresses harder.
        score_floor: a box whose score falls below is dropped. It applies to all boxes, as in mmcv and OpenCV;
            the authors' code tests only boxes that overlap the picked one, so that an isolated weak box
            stays.
    Returns:
        ``scores`` are decayed, ``original_scores`` are those of the input.
    Raises:
        ValueError: another kernel, a ``sigma`` not above 0, a negative score.
    Source:
        Bodla et al., ICCV 2017, equations 2 and 3. Written from the paper.
    Example:
        >>> boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 8], [20, 20, 30, 30.0]])
        >>> found = soft(boxes, np.array([0.9, 0.8, 0.7]))
        >>> found.keep, found.scores.round(4)
        (array([0, 2, 1]), array([0.9   , 0.7   , 0.2224]))
    """
    regions = Regions.of(boxes)
    found = decayed(regions, scores, decay_of(kernel, sigma, regions.bound(iou_threshold)), score_floor)
    return result(regions, scores, found.keep, nearest(regions, found.keep), new_scores=found.scores)


def decay_of(kernel: str, sigma: float, above: float) -> Factor:
    """Return the decay factor for a kernel name.

    Raises:
        ValueError: another name, a ``sigma`` not above 0.
    """
    if kernel not in ("gaussian", "linear") or not sigma > 0:
        raise ValueError(f"kernel '{kernel}', sigma {sigma}: give gaussian or linear, and sigma above 0")
    return Gaussian(sigma) if kernel == "gaussian" else Linear(above)


class Gaussian(Factor):
    """exp(-IoU^2 / sigma)."""

    def __init__(self, sigma: float) -> None:
        self.sigma = sigma

    def __call__(self, value: np.ndarray, picked: np.ndarray) -> np.ndarray:
        power = np.square(value, dtype=np.float64)  # float32 exp is off by up to 2.5 ulp
        power *= -1 / self.sigma
        return np.exp(power, out=power)


class Linear(Factor):
    """1 - IoU where it is above a threshold."""

    def __init__(self, above: float) -> None:
        self.above = above

    def __call__(self, value: np.ndarray, picked: np.ndarray) -> np.ndarray:
        return np.where(value > self.above, 1 - value, value.dtype.type(1))
