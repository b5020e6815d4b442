"""Masks from a box and its map alone: the baselines for every other method."""

from __future__ import annotations

import numpy as np

from wsstool.errors import UsageError
from wsstool.regions import box_mask, pixel_bounds
from wsstool.types import IGNORE


def box(size: tuple[int, int], box: np.ndarray) -> np.ndarray:
    """Fill the whole box.

    Args:
        size: (h, w) of the window.
        box: (4,) float xyxy in pixels of the window.
    Returns:
        (h, w) uint8: 1 object, 0 not.

    Source:
        The baseline of every paper on boxes. Independent.
    """
    return box_mask(box, size).astype(np.uint8)


def ellipse(size: tuple[int, int], box: np.ndarray) -> np.ndarray:
    """Fill the ellipse that touches the four sides of the box.

    Args:
        size, box: as in :func:`box`.
    Returns:
        (h, w) uint8: 1 where the pixel centre is in the ellipse; a box of one or two pixels is filled.

    Source:
        Common practice. Independent.
    """
    x0, y0, x1, y1 = pixel_bounds(box, size)
    y, x = np.ogrid[: size[0], : size[1]]
    reach = ((x + 0.5 - (x0 + x1) / 2) / max(x1 - x0, 1)) ** 2
    reach = reach + ((y + 0.5 - (y0 + y1) / 2) / max(y1 - y0, 1)) ** 2
    inside = (x >= x0) & (x < x1) & (y >= y0) & (y < y1)
    return ((reach <= 0.25) & inside).astype(np.uint8)


def rim(size: tuple[int, int], box: np.ndarray, *, width: float = 0.1) -> np.ndarray:
    """Fill the middle of the box and ignore a border band.

    Args:
        size, box: as in :func:`box`.
        width: of the border band, as a share of the box's width and height, [0, 0.5).
    Returns:
        (h, w) uint8: 1 in the middle (at least one pixel), 255 in the border band, 0 outside.

    Raises:
        UsageError: ``width`` outside its range.

    Source:
        Khoreva et al., CVPR 2017, "Box^i" (there the inner 20 % are kept). Written from reading notes.
    """
    if not 0 <= width < 0.5:
        raise UsageError(f"--set width={width:g}: give a fraction of the box sides in [0, 0.5)")
    mask = np.zeros(size, np.uint8)
    x0, y0, x1, y1 = pixel_bounds(box, size)
    mask[y0:y1, x0:x1] = IGNORE
    dx = min(round(width * (x1 - x0)), max(0, x1 - x0 - 1) // 2)
    dy = min(round(width * (y1 - y0)), max(0, y1 - y0 - 1) // 2)
    mask[y0 + dy : y1 - dy, x0 + dx : x1 - dx] = 1
    return mask


def prior(
    size: tuple[int, int], box: np.ndarray, prior: np.ndarray, *, threshold: float = 0.5, unsure: float = 0.0
) -> np.ndarray:
    """Threshold the probability map and cut it at the box: the network's own mask, without proposals.

    Args:
        size, box: as in :func:`box`.
        prior: (h, w) float in [0, 1]; NaN counts as 0.
        threshold: object where the map is at least this, (0, 1].
        unsure: 255 where the map is closer to the threshold than this, [0, 0.5).
    Returns:
        (h, w) uint8: 1, 0 or 255; empty if the map never reaches the threshold.

    Raises:
        UsageError: values outside their range.

    Source:
        Common practice. Independent.
    """
    if not 0 < threshold <= 1 or not 0 <= unsure < 0.5:
        raise UsageError("--set: give threshold in (0, 1] and unsure in [0, 0.5)")
    values = np.nan_to_num(np.asarray(prior, np.float32), nan=0.0)
    mask = (values >= threshold).astype(np.uint8)
    if unsure:
        mask[np.abs(values - threshold) < unsure] = IGNORE
    return np.where(box_mask(box, size), mask, np.uint8(0))
