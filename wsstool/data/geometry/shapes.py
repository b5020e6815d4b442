"""Object masks from annotation files: run lengths, lists of them, or polygons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wsstool.data.geometry import rle
from wsstool.data.geometry.polygons import fill
from wsstool.errors import BadInputError

_FAR = 10
"""Corners this many image sizes away are rejected: their outline would take too long to draw."""


def shape_mask(shape: Any, size: tuple[int, int]) -> np.ndarray:
    """Return the mask of a ``segmentation`` entry.

    Args:
        shape: run lengths (a mapping with ``size`` and ``counts``), or a list of run lengths and polygons,
            whose union is returned.
        size: rows and columns of the image.

    Returns:
        (H, W) bool.

    Raises:
        BadInputError: none of these, unreadable run lengths, or run lengths of another size.
    """
    if isinstance(shape, Mapping):
        stated, _ = rle.lengths(shape)
        if stated != size:  # before the mask is unpacked
            raise BadInputError(
                f"the run lengths are for {stated[1]} x {stated[0]} pixels, but the image has "
                f"{size[1]} x {size[0]}"
            )
        return rle.decode(shape)
    if isinstance(shape, Sequence) and not isinstance(shape, str):
        shape = polygon_list(shape)
        drawn = polygon_mask([part for part in shape if not isinstance(part, Mapping)], size)
        return np.logical_or.reduce([drawn, *(shape_mask(p, size) for p in shape if isinstance(p, Mapping))])
    raise BadInputError("the shape is neither run lengths nor polygons")


def polygon_list(shape: Sequence[Any]) -> Sequence[Any]:
    """Return the parts of a shape; a single polygon may stand there without a list around it.

    >>> polygon_list([[1, 1], [4, 1], [4, 4]])
    [[[1, 1], [4, 1], [4, 4]]]
    >>> polygon_list([1, 1, 4, 1, 4, 4])
    [[1, 1, 4, 1, 4, 4]]
    """
    are_numbers = all(isinstance(value, int | float) for value in shape)
    are_corners = len(shape) > 2 and all(_is_corner(part) for part in shape)
    return [shape] if len(shape) and (are_numbers or are_corners) else shape


def _is_corner(part: Any) -> bool:
    return isinstance(part, Sequence) and len(part) == 2 and all(isinstance(v, int | float) for v in part)


def polygon_mask(polygons: Sequence[Any], size: tuple[int, int]) -> np.ndarray:
    """Return the union of polygons, as filled by COCO's tools; those of less than three corners are empty.

    Args:
        polygons: each x1, y1, x2, y2, ..., pixels, (0, 0) being the upper left corner of the first pixel.
        size: rows and columns.

    Raises:
        BadInputError: an odd number of coordinates, or one that is not a finite number or far outside.

    >>> polygon_mask([[1, 0, 3, 0, 3, 2, 1, 2]], (2, 4)).astype(int).tolist()
    [[0, 1, 1, 0], [0, 1, 1, 0]]
    """
    parts = []
    for corners in polygons:
        try:
            points = np.asarray(corners, np.float64).reshape(-1, 2)
        except (TypeError, ValueError):
            raise BadInputError("the coordinates of a polygon are not pairs of numbers") from None
        if not np.isfinite(points).all():
            raise BadInputError("a polygon has a coordinate that is not a finite number")
        if (np.abs(points) > _FAR * max(*size, 1)).any():
            raise BadInputError("a polygon has a corner far outside the image")
        if len(points) >= 3:
            parts.append(points)
    return fill(parts, size)
