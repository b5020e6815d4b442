"""IoU-guided NMS: rank boxes by localisation confidence instead of class score."""

from __future__ import annotations

import numpy as np

from wsstool.nms.candidates import Regions, result
from wsstool.nms.engine.suppression import survivors
from wsstool.nms.result import NmsResult


def iou_guided(boxes: np.ndarray | Regions, scores: np.ndarray, *, iou_threshold: float = 0.5) -> NmsResult:
    """Suppress in order of localisation confidence; a kept box takes the best class score of its cluster.

    Needs the column ``localisation`` (N,), the predicted IoU with the ground truth. A box belongs to the
    first kept box above the threshold, so that its score counts for one output only.

    Args:
        boxes: ``Regions`` with that column.
        scores: (N,) class scores.
        iou_threshold: see ``greedy``.
    Raises:
        ValueError: no column ``localisation``.
    Source:
        Jiang et al., IoU-Net, ECCV 2018, algorithm 1. Written from the paper; no code of the authors is
        public.
    """
    regions = Regions.of(boxes)
    rank = regions.column("localisation", "localisation confidence of each box, 0 to 1")
    keep, by = survivors(regions, rank, regions.bound(iou_threshold))
    best = np.full(len(by), -np.inf)
    np.maximum.at(best, by, scores)
    return result(regions, scores, keep, by, new_scores=best[keep])
