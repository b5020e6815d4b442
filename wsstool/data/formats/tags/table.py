"""Tags in a table beside the images: CSV, TSV or JSON lines, as names or as one column per class.

``image,labels`` with names as in ``cells``, or ``image`` and one column of 0 and 1 per class. JSON lines have
the same fields; ``labels`` may be a list, a text or a dictionary. A column of row numbers is left out.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from wsstool.annotation_file import is_found, regular
from wsstool.data.class_match import class_ids
from wsstool.data.classlist import with_background
from wsstool.data.formats import Tags
from wsstool.data.formats.tags.cells import MISSING, normalised, read_cells
from wsstool.errors import BadInputError, MissingInputError
from wsstool.types import ClassList

NAME = "table"
SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson")

_IMAGE_COLUMNS = (
    "image", "file_name", "filename", "file", "path", "image_name", "image_path", "file_path", "filepath",
    "img", "img_path", "img_name", "image_id", "id", "name",
)  # fmt: skip
_LABEL_COLUMNS = (
    "labels", "label_name", "class_name", "category_name", "label", "tags", "tag", "classes", "class",
    "category",
)  # fmt: skip
_DELIMITER_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
"""The first line of tables for Excel."""

_UNNAMED = re.compile(r"(Unnamed: \d+)?")
"""Names that pandas gives to the column of row numbers."""


Record = tuple[int, dict[str, Any]]
"""Line number and fields of a row."""

_zip = partial(zip, strict=True)


def candidates(root: Path) -> list[Path]:
    """Return the label tables of a folder, by their default names."""
    stems = ("labels", "metadata")
    return [p for stem in stems for s in SUFFIXES if is_found(p := root / f"{stem}{s}")]


def read(path: Path, classes: ClassList | None = None) -> Tags:
    """Read the tags of a table.

    Several rows of one image are united if the table has one column of names (a row per image and label).
    Without a class list the classes are the sorted names (or the columns, in order), with a background added.

    Raises:
        MissingInputError: no such file.
        BadInputError: not text, no column of images or labels, a cell that is not 0 or 1, an image twice in a
            table with a column per class.
    """
    source = f"label file {str(path)!r}"
    records = list(_records(path, source))
    images = [_image(record, line, source) for line, record in records]
    labels = [_first(record, _LABEL_COLUMNS) for _, record in records]
    if any(label is None or isinstance(record[label], dict) for label, (_, record) in _zip(labels, records)):
        return _of_columns(source, records, images, labels, classes)
    places = [f"line {line}" for line, _ in records]
    cells = read_cells([r[str(label)] for label, (_, r) in _zip(labels, records)], places, classes, source)
    rows: dict[str, tuple[str, ...]] = {}
    for image, names in _zip(images, cells.names):
        rows[image] = tuple(dict.fromkeys((*rows.get(image, ()), *names)))
    notes = cells.notes
    if len(rows) < len(images):
        twice = next(image for image, n in Counter(images).items() if n > 1)
        notes += (
            f"{source} has {len(images)} rows for {len(rows)} images; rows of one image, such as {twice!r}, "
            "are united",
        )
    if classes is None:
        classes = with_background(sorted({tag for tags in rows.values() for tag in tags}))
    return Tags(source, rows, classes, notes=notes)


def _of_columns(
    source: str,
    records: Sequence[Record],
    images: Sequence[str],
    labels: Sequence[str | None],
    classes: ClassList | None,
) -> Tags:
    """Read a table with one column of 0 and 1 per class, or JSON lines with a dictionary."""
    rows: dict[str, tuple[str, ...]] = {}
    order: dict[str, None] = {}
    missing = 0
    numbers = _row_numbers([record for _, record in records])
    for image, label, (line, record) in zip(images, labels, records, strict=True):
        skipped = {_first(record, _IMAGE_COLUMNS), *numbers}
        cells = record[label] if label is not None else {k: v for k, v in record.items() if k not in skipped}
        if not isinstance(cells, dict):
            raise BadInputError(f"{source}, line {line}: other rows have a dictionary of labels")
        cells = {normalised(name): cell for name, cell in cells.items()}
        order.update(dict.fromkeys(cells))
        missing += sum(str(cell).strip().lower() in MISSING for cell in cells.values())
        if image in rows:
            raise BadInputError(
                f"{source} lists image {image!r} twice (line {line}); only a table with one column of names "
                "may have several rows per image"
            )
        rows[image] = tuple(name for name, cell in cells.items() if _is_set(cell, name, source, line))
    notes = [f"{source}: {missing} cells such as 'nan' count as 0"] if missing else []
    if named := [name for name in numbers if name]:
        notes.append(f"{source}: the column {named[0]!r} numbers the rows and is no class")
    classes = classes or with_background(list(order))
    spelled = {
        name: classes.names[i] if i >= 0 else name
        for name, i in zip(order, class_ids(classes, list(order)), strict=True)
    }
    tagged = {image: tuple(spelled[name] for name in names) for image, names in rows.items()}
    return Tags(source, tagged, classes, notes=tuple(notes))


def _image(record: dict[str, Any], line: int, source: str) -> str:
    column = _first(record, _IMAGE_COLUMNS)
    if column is None or not isinstance(record[column], str):
        raise BadInputError(
            f"{source} has no column 'image' (line {line}); its first line must be like image,labels"
        )
    return str(record[column]).strip()


def _row_numbers(records: Sequence[dict[str, Any]]) -> list[str]:
    """Return the columns that number the rows: without a name, or counting from 0 or 1 beyond 1."""
    found = []
    for name in records[0] if records else ():
        cells = [str(record.get(name, "")).strip() for record in records]
        counts = any(cells == [str(k + first) for k in range(len(cells))] for first in (0, 1))
        if _UNNAMED.fullmatch(name.strip()) or (counts and len(cells) > 2):
            found.append(name)
    return found


def _records(path: Path, source: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line number and fields of each row."""
    try:
        text = regular(path).read_text(encoding="utf-8-sig")
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
    if first := _DELIMITER_LINE.match(text):
        text = text[first.end() :]
    delimiter = first[1] if first else _delimiter(text.partition("\n")[0], path)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
    except csv.Error as error:
        raise BadInputError(f"{source}, line 1: {error}") from None
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


def _delimiter(head: str, path: Path) -> str:
    """Return what separates the columns, by the first line of a table."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    return next((one for one in ",;\t|" if one in head), ",")


def _first(record: dict[str, Any], names: tuple[str, ...]) -> str | None:
    """Return the first of ``names`` that is a field."""
    lowered = {key.strip().lower(): key for key in record}
    return next((lowered[name] for name in names if name in lowered), None)


def _is_set(cell: Any, name: str, source: str, line: int) -> bool:
    text = str(cell).strip().lower()
    if text in MISSING:
        return False
    if text in ("1", "1.0", "true"):
        return True
    if text in ("0", "0.0", "false", ""):
        return False
    raise BadInputError(f"{source}, line {line}: column '{name}' contains {cell!r}, not 0 or 1")
