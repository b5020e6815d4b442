"""Greedy NMS: the best box suppresses all that overlap it, then the best of the rest, and so on."""

from __future__ import annotations

import numpy as np

from wsstool.nms.candidates import Regions, result
from wsstool.nms.engine.suppression import survivors
from wsstool.nms.result import NmsResult


def greedy(boxes: np.ndarray | Regions, scores: np.ndarray, *, iou_threshold: float = 0.5) -> NmsResult:
    """Keep the best box, drop boxes that overlap it by more than the threshold, repeat with the rest.

    Args:
        boxes: (N, 4) xyxy in pixels, or ``Regions``.
        scores: (N,) finite.
        iou_threshold: 1 and above keeps all, below 0 keeps one per group.
    Returns:
        Kept boxes unchanged; ``cluster`` names the best kept box that suppresses each.
    Source:
        Common practice (Dalal and Triggs, CVPR 2005; Felzenszwalb et al., PAMI 2010). Written from the
        description.
    Example:
        >>> boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 8], [20, 20, 30, 30.0]])
        >>> greedy(boxes, np.array([0.9, 0.8, 0.7])).keep
        array([0, 2])
    """
    regions = Regions.of(boxes)
    keep, by = survivors(regions, scores, regions.bound(iou_threshold))
    return result(regions, scores, keep, by)
