"""DIoU-NMS: suppression by IoU minus a centre-distance penalty, so boxes with distant centres are kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from wsstool.nms.candidates import Regions, result
from wsstool.nms.engine.suppression import survivors
from wsstool.nms.result import NmsResult
from wsstool.nms.shapes import AxisAligned
from wsstool.nms.shapes.boxes import Sides, distance, iou


def diou(
    boxes: np.ndarray | Regions, scores: np.ndarray, *, iou_threshold: float = 0.5, beta: float = 1.0
) -> NmsResult:
    """Suppress by IoU minus a centre-distance penalty, so that boxes with distant centres are kept.

    The measure is IoU - (d^2 / c^2)^beta, where d is the distance of the centres and c the diagonal of the
    enclosing box.

    Args:
        boxes: (N, 4) xyxy in pixels, or ``Regions`` of axis-aligned boxes.
        scores: (N,) finite.
        iou_threshold: on that difference, which may be negative.
        beta: (0, inf); smaller keeps more. 1 in the SSD of the authors, 0.6 in their YOLOv3.
    Raises:
        ValueError: rotated boxes or masks, or ``beta`` not above 0.
    Notes:
        Two empty boxes at one point have the value 0 and are both kept (the authors' code drops one).
    Source:
        Zheng et al., AAAI 2020, equations 9 and 10. Written from the paper.
    """
    regions = Regions.of(boxes)
    if not beta > 0:
        raise ValueError(f"beta {beta}: give a number above 0")
    if not isinstance(regions.shapes, AxisAligned):
        raise ValueError("DIoU needs axis-aligned boxes")

    def value(a: Sides, b: Sides) -> np.ndarray:
        far = distance(a, b)
        return iou(a, b) - (far if beta == 1 else far**beta)

    regions = replace(regions, shapes=regions.shapes.measured(value))
    keep, by = survivors(regions, scores, regions.bound(iou_threshold))
    return result(regions, scores, keep, by)
