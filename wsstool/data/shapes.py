"""True masks of objects from what annotation files hold: run lengths, lists of them, or polygons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wsstool.data import rle
from wsstool.errors import BadInputError


def shape_mask(shape: Any, size: tuple[int, int]) -> np.ndarray:
    """The mask of a ``segmentation`` entry.

    Args:
        shape: run lengths (a mapping with ``size`` and ``counts``), a list of them, whose union counts, or a
            list of polygons.
        size: rows and columns of the image.

    Returns:
        (H, W) bool.

    Raises:
        BadInputError: none of these, unreadable run lengths, or run lengths of another size.
    """
    if isinstance(shape, Mapping):
        mask = rle.decode(shape)
        if mask.shape != size:
            raise BadInputError(
                f"run lengths of {mask.shape[1]} x {mask.shape[0]} pixels, "
                f"the image has {size[1]} x {size[0]}"
            )
        return mask
    if isinstance(shape, Sequence) and not isinstance(shape, str):
        if all(isinstance(part, Mapping) for part in shape):
            return np.logical_or.reduce([shape_mask(part, size) for part in shape])
        return polygon_mask(shape, size)
    raise BadInputError("a shape that is neither run lengths nor polygons")


def polygon_mask(polygons: Sequence[Any], size: tuple[int, int]) -> np.ndarray:
    """The union of polygons: the pixels whose centre lies inside. Those of less than three corners are empty.

    Args:
        polygons: each x1, y1, x2, y2, ..., pixels, (0, 0) being the upper left corner of the first pixel.
        size: rows and columns.

    Raises:
        BadInputError: an odd number of coordinates, or one that is not a finite number.

    >>> polygon_mask([[1, 0, 3, 0, 3, 2, 1, 2]], (2, 4)).astype(int).tolist()
    [[0, 1, 1, 0], [0, 1, 1, 0]]
    """
    from skimage.draw import polygon  # not needed where nobody asks for truth

    mask = np.zeros(size, bool)
    for corners in polygons:
        try:
            points = np.asarray(corners, np.float64).reshape(-1, 2)
        except (TypeError, ValueError):
            raise BadInputError("a polygon whose coordinates are not pairs of numbers") from None
        if not np.isfinite(points).all():
            raise BadInputError("a polygon with a coordinate that is not a finite number")
        if len(points) >= 3:
            # a hair to the upper left: a centre on an edge then belongs to one side only
            rows, columns = polygon(points[:, 1] - 0.5 - 1e-6, points[:, 0] - 0.5 - 1e-6, size)
            mask[rows, columns] = True
    return mask
