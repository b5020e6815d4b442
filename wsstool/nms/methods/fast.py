"""Fast NMS: every better box suppresses, even if it is suppressed itself."""

from __future__ import annotations

import numpy as np

from wsstool.nms.candidates import Regions, falling, nearest, result
from wsstool.nms.result import NmsResult


def fast(boxes: np.ndarray | Regions, scores: np.ndarray, *, iou_threshold: float = 0.5) -> NmsResult:
    """Keep a box unless any better one, kept or not, overlaps it by more than the threshold.

    Removes more boxes than greedy NMS.

    Args:
        boxes: (N, 4) xyxy in pixels, or ``Regions``.
        scores: (N,) finite.
        iou_threshold: see ``greedy``.
    Source:
        Bolya et al., YOLACT, ICCV 2019, section 3.4. Written from the paper.
    """
    regions = Regions.of(boxes)
    order = falling(scores)
    ranked = regions.take(order)
    _, j, _ = ranked.shapes.pairs(ranked.group, ranked.n_groups, regions.bound(iou_threshold))
    stays = np.ones(len(order), bool)
    stays[j] = False
    keep = order[stays]
    return result(regions, scores, keep, nearest(regions, keep))
