"""Sentences as JSON lines: one object per line, or the same objects as one JSON list."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from wsstool.annotation_file import as_json, read_bytes
from wsstool.errors import BadInputError
from wsstool.expressions.expression import Expression, Expressions, collect
from wsstool.expressions.formats.fields import FieldError, expression, found, text_of, written_box


def read(path: Path) -> Expressions:
    """Read objects with sentences from JSON lines, or from a JSON list.

    A row has ``image`` and ``sentences`` (a list; or ``sentence``, ``expression``, ``caption``), and may have
    ``box`` (x, y, width, height), ``mask`` (COCO's run lengths or polygons), ``no_target``, ``split``,
    ``category``, ``dataset``, ``ref_id``, ``ann_id``, ``image_id``, ``width`` and ``height``. Other fields
    are ignored.

    Raises:
        MissingInputError: no such file.
        BadInputError: not text in this form, two objects of one id, or no sentence; the message has the line.

    Source:
        A format of our own, near those of public data sets.
    """
    source = f"sentence file {str(path)!r}"
    return collect(_expressions(read_bytes(path, source), source), source, "jsonl")


def write(rows: Sequence[Expression], target: Path) -> None:
    """Write one line per object.

    Source:
        A format of our own, near those of public data sets.
    """
    with open(target, "w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(as_row(row), ensure_ascii=False, separators=(",", ":")) + "\n")


def as_row(one: Expression) -> dict[str, Any]:
    """Return the fields of an object that are known, in the names of this format."""
    rows, columns = one.size or (None, None)
    fields = {
        "image": one.image,
        "image_id": one.image_id,
        "width": columns,
        "height": rows,
        "dataset": one.dataset,
        "split": one.split,
        "ref_id": one.id,
        "ann_id": one.annotation_id,
        "category": one.category,
        "box": None if one.box is None else written_box(one.box),
        "mask": one.mask,
    }
    texts = [{"sent": t, "sent_id": i} for t, i in zip(one.sentences, one.sentence_ids, strict=False)]
    known = {name: value for name, value in fields.items() if value is not None}
    return {**known, "no_target": one.no_target, "sentences": texts or list(one.sentences)}


def _expressions(content: bytes, source: str) -> Iterator[Expression]:
    for place, row in _rows(content, source):
        try:
            image = text_of(row, "image") or text_of(row, "file_name")
            if image is None:
                raise FieldError("there is no field 'image'")
            yield expression(row, image=image)
        except FieldError as error:
            raise found(error, source, place) from None


def _rows(content: bytes, source: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the place of a row in words, and its fields."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInputError(f"{source} is not UTF-8 text ({error})") from None
    if text.lstrip().startswith("["):
        values = ((f"object {n}", one) for n, one in enumerate(as_json(text.encode(), source), 1))
    else:
        lines = enumerate(text.split("\n"), 1)
        values = (
            (f"line {n}", as_json(line.encode(), f"{source}, line {n},")) for n, line in lines if line.strip()
        )
    for place, value in values:
        if not isinstance(value, Mapping):
            raise BadInputError(f"{source}, {place}: no JSON object")
        yield place, value
