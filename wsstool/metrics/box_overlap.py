"""Overlap of boxes with true boxes.

``wsstool.nms`` computes IoUs of boxes as well, but families of methods do not import each other, and a score
needs neither its float32 tensors nor its grid of candidates.
"""

from __future__ import annotations

import numpy as np


def box_areas(boxes: np.ndarray) -> np.ndarray:
    """Return the areas, (N,), of (N, 4) boxes xyxy."""
    return np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)


def box_overlaps(a: np.ndarray, b: np.ndarray, crowd: np.ndarray | None = None) -> np.ndarray:
    """Return the (A, B) float64 IoU of each box of ``a`` with each of ``b``; 0 for two empty boxes.

    Args:
        a, b: (A, 4) and (B, 4) boxes xyxy.
        crowd: (B,) bool, boxes of ``b`` around many objects: with them the overlap is the share of the box of
            ``a`` that lies inside, as in COCO. None: no box is one.

    >>> a, b = np.array([[0, 0, 2, 2]]), np.array([[0, 0, 4, 4], [0, 0, 4, 4]])
    >>> box_overlaps(a, b, crowd=np.array([False, True]))
    array([[0.25, 1.  ]])
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    sides = np.minimum(a[:, None, 2:], b[:, 2:]) - np.maximum(a[:, None, :2], b[:, :2])
    shared = np.maximum(sides, 0).prod(2)
    areas = box_areas(a)[:, None]
    union = areas + box_areas(b) - shared
    if crowd is not None:
        union = np.where(crowd, areas, union)
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
