"""Confidence scores of masks, computed without ground truth."""

from __future__ import annotations

import numpy as np

from wsstool.regions import pixel_bounds
from wsstool.selection.selectors.objective import outline


def box_fit(mask: np.ndarray, box: np.ndarray) -> float:
    """Return the IoU of the bounding box of a mask with the given box; 0 for an empty mask.

    Args:
        mask: (h, w) uint8; 1 is the object.
        box: (4,) xyxy in pixels of the window.

    >>> box_fit(np.array([[0, 1, 1, 0]]), np.array([0, 0, 4, 1]))
    0.5
    """
    inside = mask == 1
    if not inside.any():
        return 0.0
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    x0, y0, x1, y1 = pixel_bounds(box, (mask.shape[0], mask.shape[1]))
    tight = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    width = max(0, min(x1, tight[2]) - max(x0, tight[0]))
    height = max(0, min(y1, tight[3]) - max(y0, tight[1]))
    area = (x1 - x0) * (y1 - y0) + (tight[2] - tight[0]) * (tight[3] - tight[1])
    return float(width * height / (area - width * height))


def agreement(mask: np.ndarray, prior: np.ndarray, guide: str) -> float:
    """Return the agreement of a mask with its probability map, in [0, 1].

    Args:
        mask: (h, w) uint8; 1 is the object.
        prior: (h, w) float in [0, 1]; NaN counts as 0.
        guide: kind of map: ``contour``: the share of its sum that lies within 2 pixels of the boundary of the
            mask; else a region: sum of the smaller over sum of the larger of mask and map (soft IoU), which
            falls both where they differ and where the map is uncertain.
    """
    inside = mask == 1
    values = np.nan_to_num(np.asarray(prior, np.float64), nan=0.0)
    if guide == "contour":
        total = values.sum()
        return float(values[outline(inside, 2)].sum() / total) if total > 0 else 0.0
    both, either = np.minimum(inside, values).sum(), np.maximum(inside, values).sum()
    return float(both / either) if either > 0 else 0.0


def quality(
    mask: np.ndarray, box: np.ndarray, prior: np.ndarray | None = None, guide: str = "region"
) -> float:
    """Return the confidence of a mask in [0, 1]: box fit times agreement with the map, if there is one.

    Notes:
        Without a map only the box fit is left, and the filled box scores 1: compare masks of one method.

    Source:
        Independent.
    """
    fit = box_fit(mask, box)
    return fit if prior is None else fit * agreement(mask, prior, guide)
