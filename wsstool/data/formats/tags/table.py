"""Tags in a table beside the images: CSV, TSV or JSON lines, as names or as one column per class.

``image,labels`` with names separated by spaces (or by ``;``, ``|``, ``,`` if names contain spaces), or
``image`` and one column of 0 and 1 per class. JSON lines have the same fields; ``labels`` may be a list,
a
text or a dictionary.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wsstool.data.classlist import with_background
from wsstool.data.formats import Tags
from wsstool.errors import BadInputError, MissingInputError
from wsstool.types import ClassList

NAME = "table"
SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson")

_IMAGE_COLUMNS = ("image", "file_name", "filename", "file", "path", "image_id", "id", "name")
_LABEL_COLUMNS = ("labels", "label", "tags", "tag", "classes", "class")


def candidates(root: Path) -> list[Path]:
    """Return the label tables of a folder, by their default names."""
    stems = ("labels", "metadata")
    return [p for stem in stems for s in SUFFIXES if (p := root / f"{stem}{s}").is_file()]


def read(path: Path, classes: ClassList | None = None) -> Tags:
    """Read the tags of a table.

    Without a class list the classes are the sorted names (or the columns, in order), with a background added.

    Raises:
        MissingInputError: no such file.
        BadInputError: not text, no column of images or labels, a cell that is not 0 or 1, an image twice.
    """
    source = f"label file {str(path)!r}"
    rows: dict[str, tuple[str, ...]] = {}
    order: dict[str, None] = {}
    is_one_hot = False
    for line, record in _records(path, source):
        image = _first(record, _IMAGE_COLUMNS)
        if image is None or not isinstance(record[image], str):
            raise BadInputError(
                f"{source} has no column 'image' (line {line}); its first line must be like image,labels"
            )
        labels = _first(record, _LABEL_COLUMNS)
        if labels is not None and not isinstance(record[labels], dict):
            tags = _names(record[labels], classes, source, line)
        else:
            is_one_hot = True
            cells = record[labels] if labels is not None else {k: v for k, v in record.items() if k != image}
            order.update(dict.fromkeys(cells))
            tags = tuple(name for name, cell in cells.items() if _is_set(cell, name, source, line))
        if record[image] in rows:
            raise BadInputError(f"{source} lists image {record[image]!r} twice (line {line})")
        rows[record[image]] = tags
    if classes is None:
        classes = with_background(
            list(order) if is_one_hot else sorted({t for tags in rows.values() for t in tags})
        )
    return Tags(source, rows, classes)


def _records(path: Path, source: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line number and fields of each row."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise MissingInputError(f"there is no {source}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{source} cannot be read: {error}") from None
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        for line, row in enumerate(text.splitlines(), 1):
            if row.strip():
                try:
                    record = json.loads(row)
                except (ValueError, RecursionError) as error:
                    raise BadInputError(f"{source}, line {line} is not JSON ({error})") from None
                if not isinstance(record, dict):
                    raise BadInputError(f"{source}, line {line} is not a JSON object")
                yield line, record
        return
    head = text.partition("\n")[0]
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ";" if ";" in head and "," not in head else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    if not reader.fieldnames or len(reader.fieldnames) < 2:
        raise BadInputError(f"{source} has fewer than two columns; its first line must be like image,labels")
    if len(set(reader.fieldnames)) < len(reader.fieldnames):
        raise BadInputError(f"{source} has two columns of the same name")
    try:
        for record in reader:
            if None in record or None in record.values():
                raise BadInputError(
                    f"{source}, line {reader.line_num} and the first line have different numbers of columns"
                )
            yield reader.line_num, record
    except csv.Error as error:
        raise BadInputError(f"{source}, line {reader.line_num}: {error}") from None


def _first(record: dict[str, Any], names: tuple[str, ...]) -> str | None:
    """Return the first of ``names`` that is a field."""
    lowered = {key.strip().lower(): key for key in record}
    return next((lowered[name] for name in names if name in lowered), None)


def _names(value: Any, classes: ClassList | None, source: str, line: int) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        names = value
    elif isinstance(value, str):
        whole = value.strip()
        if classes is not None and whole in classes.names:
            return (whole,)
        names = re.split(r"[;|,]", whole) if re.search(r"[;|,]", whole) else whole.split()
    else:
        raise BadInputError(f"{source}, line {line}: labels must be names, not {value!r}")
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


def _is_set(cell: Any, name: str, source: str, line: int) -> bool:
    text = str(cell).strip().lower()
    if text in ("1", "1.0", "true"):
        return True
    if text in ("0", "0.0", "false", ""):
        return False
    raise BadInputError(f"{source}, line {line}: column '{name}' contains {cell!r}, not 0 or 1")
