"""IoU-guided NMS: rank by how well a box is placed, not by how sure its class is."""

from __future__ import annotations

import numpy as np

from wsstool.nms.candidates import Regions, result
from wsstool.nms.engine.suppression import survivors
from wsstool.nms.result import NmsResult


def iou_guided(boxes: np.ndarray | Regions, scores: np.ndarray, *, iou_threshold: float = 0.5) -> NmsResult:
    """Greedy NMS in the order of localisation confidence; a kept box takes the best score of its cluster.

    Needs the column ``localisation`` (N,), the predicted IoU with the truth. A box is claimed by the first
    kept box above the threshold, so that its score feeds one output only.

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
    rank = regions.column("localisation", "how well each box is placed, 0 to 1")
    keep, by = survivors(regions, rank, regions.bound(iou_threshold))
    best = np.full(len(by), -np.inf)
    np.maximum.at(best, by, scores)
    return result(regions, scores, keep, by, new_scores=best[keep])
