"""How far a mask can be trusted, judged without the truth."""

from __future__ import annotations

import numpy as np

from wsstool.regions import pixel_bounds
from wsstool.selection.selectors.objective import outline


def box_fit(mask: np.ndarray, box: np.ndarray) -> float:
    """IoU of the smallest box around a mask with the box that was given; 0 for an empty mask.

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
    """How well a mask and its map say the same, in [0, 1].

    Args:
        mask: (h, w) uint8; 1 is the object.
        prior: (h, w) float in [0, 1]; what is not a number is 0.
        guide: what the map is of: ``contour``: the share of its sum that lies within 2 pixels of the
            mask's boundary; else a region: sum of the smaller over sum of the larger of mask and map (soft
            IoU), which falls both where they differ and where the map is unsure.
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
    """One number to sort masks by, in [0, 1]: box fit times agreement with the map, where there is one.

    Notes:
        Without a map only the box fit is left, and the filled box itself has 1: compare masks of one method.

    Source:
        Independent.
    """
    fit = box_fit(mask, box)
    return fit if prior is None else fit * agreement(mask, prior, guide)
