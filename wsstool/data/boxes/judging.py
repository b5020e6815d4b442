"""Decide which boxes of a source can be used: four finite numbers, inside an image that can be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from wsstool.data.boxes.number_forms import corners
from wsstool.data.formats import WrittenBox
from wsstool.data.geometry.instances import extent
from wsstool.data.geometry.shapes import shape_mask
from wsstool.errors import BadInputError


@dataclass(frozen=True)
class JudgedRows:
    """The rows of a source that are four finite numbers in an image that can be read.

    Args:
        rows: K boxes as they are written; the numbers of those without are those around their shape.
        image: (K,) number of the image of each.
        has_numbers: (K,) bool: the source writes four numbers.
        dropped: reason -> how many other rows there are.
    """

    rows: list[WrittenBox]
    image: np.ndarray
    has_numbers: np.ndarray
    dropped: Counter[str]


def judged_rows(
    rows: Iterable[WrittenBox], places: Mapping[str, int], sizes: np.ndarray, form: str, source: str
) -> JudgedRows:
    """Keep the rows that have a place and four finite numbers, or a shape in place of them.

    Args:
        rows: as the source writes them; those of other images are passed over and not counted.
        places: image as the source spells it -> number of the image.
        sizes: (N, 2) rows and columns of the images; 0: cannot be read.
        form: one of ``FORMS``.
        source: for messages.

    Raises:
        BadInputError: a shape that cannot be read.
    """
    kept: list[WrittenBox] = []
    image: list[int] = []
    has_numbers: list[bool] = []
    dropped: Counter[str] = Counter()
    for row in rows:
        i = places.get(row.image)
        if i is None:
            continue
        if row.crowd:
            dropped["crowd region"] += 1
            continue
        is_readable, is_written = bool(sizes[i].all()), bool(np.isfinite(row.numbers).all())
        if row.shape is not None and is_readable and not is_written:
            row = replace(row, numbers=_extent(row, sizes[i], form, source))
        if not np.isfinite(row.numbers).all():
            is_empty = row.shape is not None and is_readable
            dropped["no pixel inside its outline" if is_empty else "not four finite numbers"] += 1
        elif not is_readable:
            dropped["its image cannot be read"] += 1
        else:
            kept.append(row)
            image.append(i)
            has_numbers.append(is_written)
    return JudgedRows(kept, np.array(image, np.int64), np.array(has_numbers, bool), dropped)


@dataclass(frozen=True)
class ClippedBoxes:
    """K boxes in pixels, before and after clipping to their images.

    Args:
        numbers: (K, 4) float64 as they are written.
        unit: (K, 2) what a step in x and in y is in pixels.
        extents: (K, 2) width and height of the image in that unit.
        xyxy: (K, 4) in pixels.
        clipped: (K, 4) in pixels, inside the image.
        usable: (K,) bool: enough of it is left.
        dropped: reason -> how many are not usable.
    """

    numbers: np.ndarray
    unit: np.ndarray
    extents: np.ndarray
    xyxy: np.ndarray
    clipped: np.ndarray
    usable: np.ndarray
    dropped: Counter[str]


def clipped_boxes(
    found: JudgedRows, sizes: np.ndarray, form: str, *, fractions: bool, tiny: bool
) -> ClippedBoxes:
    """Clip boxes to their images, and say which of them can be used.

    Args:
        found: the boxes as they are written.
        sizes: (N, 2) rows and columns of the images.
        form: one of ``FORMS``.
        fractions: the numbers are shares of the image.
        tiny: also boxes of a pixel or less can be used.
    """
    numbers = np.array([row.numbers for row in found.rows], np.float64).reshape(-1, 4)
    pixels = sizes[found.image][:, ::-1].astype(np.float64)  # width, height
    unit = pixels if fractions else np.ones_like(pixels)
    xyxy = corners(numbers, form) * np.tile(unit, 2)
    clipped = np.clip(xyxy, 0, np.tile(pixels, 2))
    side, inside = xyxy[:, 2:] - xyxy[:, :2], clipped[:, 2:] - clipped[:, :2]
    empty = (side <= 0).any(1)
    outside = ~empty & (inside <= 0).any(1)
    # half a pixel of rounding is no reason to lose the box of a thin thing
    small = ~empty & ~outside & (not tiny) & ((inside < 0.5).any(1) | (inside.prod(1) <= 1))
    reasons = {"no width or height": empty, "outside the image": outside, "a pixel or less": small}
    dropped = Counter({reason: int(which.sum()) for reason, which in reasons.items()})
    return ClippedBoxes(numbers, unit, pixels / unit, xyxy, clipped, ~(empty | outside | small), dropped)


def _extent(row: WrittenBox, size: np.ndarray, form: str, source: str) -> tuple[float, float, float, float]:
    """The box around a shape that comes without one; NaN where the shape is empty."""
    rows, columns = size.tolist()
    try:
        found = extent(shape_mask(row.shape, (rows, columns)))
    except BadInputError as error:
        raise BadInputError(f"an object of image {row.image!r} in {source}: {error}") from None
    if found is None:
        return (float("nan"),) * 4
    x0, y0, x1, y1 = found
    return (x0, y0, x1, y1) if form == "xyxy" else (x0, y0, x1 - x0, y1 - y0)
