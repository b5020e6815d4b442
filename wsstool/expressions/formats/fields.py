"""Values of one object in a JSON row, by the names that the formats share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from wsstool.errors import BadInputError
from wsstool.expressions.expression import Box, Expression, Id
from wsstool.expressions.tokenizer import is_unicode

Row = Mapping[str, Any]

_TEXTS = ("sentences", "sentence", "expressions", "expression", "caption")
_LARGEST = 1 << 20  # rows or columns of an image


class FieldError(ValueError):
    """A value of a row cannot be used; the reader adds the place in the file."""


def expression(row: Row, **known: Any) -> Expression:
    """Return the object of a row.

    Args:
        row: ``sentences`` (or ``sentence``, ``expression``, ``caption``), ``box`` or ``bbox`` (x, y, width,
            height), ``mask`` or ``segmentation``, ``no_target``, ``ref_id``, ``ann_id``, ``image_id``,
            ``category``, ``split``, ``dataset``, ``width``, ``height``; all but the sentences may be missing.
        known: fields that the reader found elsewhere.

    Notes:
        Without ``no_target``, an object has no target if its box is given as null and it has no mask. A box
        that is not mentioned is unknown.

    Raises:
        FieldError: a value of another kind.
    """
    texts, ids = sentences(row)
    box, mask = box_of(row), mask_of(row)
    is_stated_empty = any(name in row and row[name] is None for name in ("box", "bbox"))
    found: dict[str, Any] = {
        "sentences": texts,
        "sentence_ids": ids,
        "box": box,
        "mask": mask,
        "no_target": _no_target(row, is_stated_empty and box is None and mask is None),
        "id": id_of(row, "ref_id"),
        "annotation_id": id_of(row, "ann_id", "annotation_id"),
        "image_id": id_of(row, "image_id"),
        "category": text_of(row, "category"),
        "split": text_of(row, "split"),
        "dataset": text_of(row, "dataset"),
        "size": size_of(row),
    }
    return Expression(**{**found, **known})


def _no_target(row: Row, otherwise: bool) -> bool:
    value = row.get("no_target", otherwise)
    if value not in (True, False, None):
        raise FieldError(f"'no_target' is {_short(value)}, neither true nor false")
    return bool(value)


def has_sentences(row: Row) -> bool:
    """Whether a row has a field for sentences."""
    return any(row.get(name) is not None for name in _TEXTS)


def sentences(row: Row) -> tuple[tuple[str, ...], tuple[Id, ...]]:
    """Return the sentences of a row, and their ids if all have one."""
    name = next((name for name in _TEXTS if row.get(name) is not None), None)
    if name is None:
        raise FieldError("there is no field 'sentences'")
    values = row[name] if isinstance(row[name], list) else [row[name]]
    texts: list[str] = []
    ids: list[Id | None] = []
    for value in values:
        ids.append(id_of(value, "sent_id") if isinstance(value, Mapping) else None)
        text = value.get("sent", value.get("raw")) if isinstance(value, Mapping) else value
        if not isinstance(text, str) or not is_unicode(text):
            raise FieldError(f"{name!r} holds {_short(text)}, which is not a text")
        texts.append(text)
    known = tuple(one for one in ids if one is not None)
    return tuple(texts), known if len(known) == len(texts) else ()


def box_of(row: Row) -> Box | None:
    """Return the box as x0, y0, x1, y1."""
    name = next((name for name in ("box", "bbox") if row.get(name) is not None), None)
    if name is None:
        return None
    try:
        x, y, width, height = (float(value) for value in row[name])
    except (TypeError, ValueError, OverflowError):
        x = y = width = height = math.nan
    if not all(map(math.isfinite, (x, y, width, height))):
        raise FieldError(f"{name!r} is {_short(row[name])} and not four numbers x, y, width, height")
    return x, y, x + width, y + height


def mask_of(row: Row) -> Any:
    """Return the mask as it is written; None if there is none."""
    mask = row.get("mask") or row.get("segmentation") or None
    if mask is not None and not isinstance(mask, Mapping | list):
        raise FieldError(f"the mask is {_short(mask)}, neither run lengths nor polygons")
    return mask


def id_of(row: Row, *names: str) -> Id | None:
    """Return the first whole number or text of these names."""
    values = (row.get(name) for name in names)
    return next((v for v in values if isinstance(v, int | str) and not isinstance(v, bool)), None)


def text_of(row: Row, name: str) -> str | None:
    """Return a text; None if it is missing."""
    value = row.get(name)
    if value is not None and not (isinstance(value, str) and is_unicode(value)):
        raise FieldError(f"{name!r} is {_short(value)} and not a text")
    return value or None


def size_of(row: Row) -> tuple[int, int] | None:
    """Return rows and columns of the image; None if they are missing."""
    size = row.get("height"), row.get("width")
    if size == (None, None):
        return None
    rows, columns = (v if isinstance(v, int) and 0 < v < _LARGEST else 0 for v in size)
    if not rows or not columns:
        raise FieldError(f"the image has {_short(size[1])} x {_short(size[0])} pixels")
    return rows, columns


def written_box(box: Box) -> list[float]:
    """Return a box as x, y, width, height, rounded to what the reader restores.

    Example:
        >>> written_box((203.8, 66.62, 317.13, 161.79))
        [203.8, 66.62, 113.33, 95.17]
    """
    x0, y0, x1, y1 = box
    return [x0, y0, round(x1 - x0, 4), round(y1 - y0, 4)]


def found(error: FieldError, source: str, place: str) -> BadInputError:
    """Return the error of a row with its place in the file."""
    return BadInputError(f"{source}, {place}: {error}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
