"""Coordinate formats of boxes: two corners, or a corner or the centre with width and height.

Read in the wrong format, boxes still look like boxes. Over a whole file the error shows: in the wrong format
many boxes leave their images or end before they begin; in the right one hardly any does.
"""

from __future__ import annotations

import numpy as np

from wsstool.errors import BadInputError

FORMS = {
    "xywh": "left, top, width, height",
    "xyxy": "left, top, right, bottom",
    "cxcywh": "x and y of the centre, width, height",
}

_SHARE = 0.1
"""A format is rejected if this share of the boxes does not fit, and a tenth of that in another format."""


def corners(numbers: np.ndarray, form: str) -> np.ndarray:
    """Convert (N, 4) numbers in a format to (N, 4) x0, y0, x1, y1.

    >>> corners(np.array([[4.0, 4.0, 2.0, 6.0]]), "cxcywh").tolist()
    [[3.0, 1.0, 5.0, 7.0]]
    """
    first, second = numbers[:, :2], numbers[:, 2:]
    if form == "xyxy":
        return numbers.copy()
    start = first - second / 2 if form == "cxcywh" else first
    return np.concatenate([start, start + second], axis=1)


def misfits(numbers: np.ndarray, form: str, extents: np.ndarray) -> np.ndarray:
    """Mark boxes that are empty or leave the image by more than 2 % of its side and 2 pixels: (N,) bool.

    Args:
        numbers: (N, 4), finite.
        form: their coordinate format.
        extents: (N, 2) width and height of the image in the unit of the numbers.
    """
    box = corners(numbers, form)
    slack = np.where(extents > 1, np.maximum(2.0, 0.02 * extents), 0.02)
    outside = (box[:, :2] < -slack).any(1) | (box[:, 2:] > extents + slack).any(1)
    return np.logical_or(outside, (box[:, 2:] <= box[:, :2]).any(1))


def check_scale(written: np.ndarray, clipped: np.ndarray, form: str, source: str) -> None:
    """Raise BadInputError if most boxes have most of their area outside their images.

    Args:
        written: (N, 4) xyxy.
        clipped: the same boxes, clipped to the image.
        form, source: of the file, for the message.
    """
    areas, inside = (np.maximum(one[:, 2:] - one[:, :2], 0).prod(1) for one in (written, clipped))
    far = int((inside < areas / 2).sum())
    if far > 1 and far > len(written) / 2:
        raise BadInputError(
            f"{far} of {len(written)} boxes of {source} lie mostly outside their images, as if made for "
            f"larger images; use --box-format {form} to read them anyway"
        )


def check_form(numbers: np.ndarray, form: str, extents: np.ndarray, source: str, *, fractions: bool) -> bool:
    """Return whether one other format fits just as well; raise an error if another format is the right one.

    Args:
        numbers, form, extents: see ``misfits``.
        source: the file, for the message.
        fractions: coordinates in this file format are shares of the image.

    Raises:
        BadInputError: the boxes are in another format, or fractions instead of pixels, or the reverse.
    """
    if not len(numbers):
        return False
    if not fractions and (np.abs(numbers) <= 1).all() and extents.min() > 2:
        raise BadInputError(
            f"the boxes of {source} are fractions of the image size, but this format needs pixels"
        )
    if fractions and (numbers > 2).any(1).mean() > 0.5:
        raise BadInputError(
            f"the boxes of {source} are in pixels, but this format needs fractions of the image size"
        )
    bad = int(misfits(numbers, form, extents).sum())
    others = {other: int(misfits(numbers, other, extents).sum()) for other in FORMS if other != form}
    best = min(others, key=others.__getitem__)
    if bad >= max(1.0, _SHARE * len(numbers)) and others[best] <= _SHARE * bad:
        raise BadInputError(
            f"the boxes of {source} look like {FORMS[best]} ({best}), not {FORMS[form]} ({form}): read as "
            f"{form}, {bad} of {len(numbers)} are empty or extend beyond their image, read as {best} "
            f"{others[best]}; choose with --box-format {best} or --box-format {form}"
        )
    return bad == 0 and others["xywh" if form == "xyxy" else "xyxy"] == 0
