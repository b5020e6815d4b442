"""Read and write detections: ``box`` file, COCO results, CSV, YOLO text files."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.atomic import write_text
from wsstool.data.boxes.ground_truth import GroundTruthObjects
from wsstool.data.detections import COLUMNS, Detections, form_of
from wsstool.data.formats.detections import coco as coco_detections
from wsstool.data.formats.detections import table as detection_table
from wsstool.data.formats.detections import yolo as yolo_results
from wsstool.errors import BadInputError, CannotWriteError
from wsstool.types import ClassList

_BASIC = ("x0", "y0", "x1", "y1", "score", "class")
_STD = ("std_x0", "std_y0", "std_x1", "std_y1")
READERS: dict[str, Callable[[Path], Detections]] = {
    "coco": coco_detections.read,
    "csv": detection_table.read,
    "yolo": yolo_results.read,
}


def foreign(source: object) -> str | None:
    """The foreign format of a source; None: a record file or standard input."""
    return None if source is None or str(source) == "-" else form_of(Path(str(source)))


def piped(source: object) -> str | None:
    """The foreign format of standard input, by its first byte; None: a record file."""
    if source is not None and str(source) != "-":
        return None
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        return None
    peek = getattr(sys.stdin.buffer, "peek", None)
    first: bytes = peek(1)[:1] if peek is not None else b""
    if first in (b"[", b"{") or first.isspace():
        return "coco"
    return "csv" if first == b"\xef" or first.isalnum() or first in (b'"', b"_") else None


def read_foreign(source: object, form: str) -> tuple[Detections, store.Input]:
    """Read detections of a foreign format, with their input for keys and provenance.

    Raises:
        MissingInputError, BadInputError: see the formats.
    """
    path = Path(str(source))
    if source is None or str(source) == "-":
        content = sys.stdin.buffer.read()
        reader = coco_detections.parsed if form == "coco" else detection_table.parsed
        return reader(content, "standard input"), store.Input.of_bytes(content, role="input")
    if path.is_dir():
        names = [one.name for one in sorted(path.glob("*.txt"))]
        return READERS[form](path), store.Input.of_folder(path, names)
    return READERS[form](path), store.Input.of_file(path, role="input")


def is_foreign(source: object) -> bool:
    """Whether ``eval`` should read a source as detections: a JSON object is a score file, a list is not."""
    form = foreign(source)
    if form != "coco":
        return form is not None
    with open(str(source), "rb") as file:
        return file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["


def of_reader(reader: store.Reader) -> Detections:
    """All boxes of a ``box`` file.

    Raises:
        BadInputError: damaged, or without one of the basic columns.
    """
    header = reader.header
    names = list(header.attributes.get("columns", ()))
    missing = [name for name in _BASIC if name not in names]
    if missing:
        raise BadInputError(f"box file {reader.name} has no column '{missing[0]}'")
    parts = [record.boxes for record in reader.records()]
    image = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    table = np.concatenate([np.zeros((0, len(names)), np.float32), *parts]).astype(np.float64)
    column = {name: table[:, k] for k, name in enumerate(names)}
    columns = {name: column[name] for name in COLUMNS if name in column}
    if set(_STD) <= set(names):
        columns["std"] = np.stack([column[name] for name in _STD], 1)
    return Detections(
        header.images,
        image,
        table[:, [names.index(name) for name in _BASIC[:4]]],
        column["score"],
        column["class"].astype(np.int64),
        dict(enumerate(header.classes.names)),
        columns,
        header.sizes.astype(np.int64),
    )


def named(found: Detections, objects: GroundTruthObjects) -> Detections:
    """Detections of COCO results with the file names, sizes and class names of a COCO file.

    Class ids become places in the order of category ids, as everywhere here.

    Raises:
        BadInputError: an image or a category that the COCO file does not have.
    """
    by_id = {one: k for k, one in enumerate(objects.ids)}
    missing = [name for name in found.images if name not in by_id]
    if missing:
        raise BadInputError(f"the detections contain image id {missing[0]}, which is not in the COCO file")
    order = sorted(range(len(objects.names)), key=lambda k: objects.names[k])
    place = {k: number for number, k in enumerate(order)}
    ids = sorted(objects.categories)
    unknown = sorted(set(found.classes.tolist()) - set(ids))
    if unknown:
        raise BadInputError(f"the detections contain category {unknown[0]}, which is not in the COCO file")
    images = np.array([place[by_id[name]] for name in found.images], np.int64)
    return replace(
        found,
        images=tuple(objects.names[k] for k in order),
        image=images[found.image] if len(images) else found.image,
        classes=np.searchsorted(ids, found.classes),
        names={k: objects.categories[one] for k, one in enumerate(ids)},
        sizes=objects.sizes[order],
    )


def write_foreign(form: str, found: Detections, output: Path | None) -> None:
    """Write a foreign format to a file (YOLO: a folder) or, but for YOLO, to standard output.

    Raises:
        CannotWriteError: the output cannot be written. BadInputError: see the formats.
    """
    if form == "yolo":
        if output is None or str(output) == "-":
            raise CannotWriteError("YOLO text files are written to a folder; name one with -o")
        texts = yolo_results.written(found)
        try:
            output.mkdir(exist_ok=True)
        except OSError as error:
            raise CannotWriteError(f"cannot write '{output}': {error.strerror}") from None
        for name, text in texts.items():
            write_text(output / name, text)
        return
    text = coco_detections.written(found) if form == "coco" else detection_table.written(found)
    if output is None or str(output) == "-":
        sys.stdout.write(text)
    else:
        write_text(output, text)


def box_table(found: Detections, more: dict[str, np.ndarray]) -> tuple[list[str], np.ndarray]:
    """Column names and the (N, F) float32 rows of a ``box`` file.

    Raises:
        BadInputError: rotated boxes, shares of the image, or numbers that float32 does not hold exactly.
    """
    if found.boxes.shape[1] != 4 or found.fractions:
        raise BadInputError("a box file holds axis-aligned boxes in pixels; write CSV or YOLO text with -o")
    columns: dict[str, Any] = dict(zip(_BASIC[:4], found.boxes.T, strict=True))
    columns |= {"score": found.scores, "class": found.classes, **more}
    for name, column in found.columns.items():
        columns |= dict(zip(_STD, column.T, strict=True)) if name == "std" else {name: column}
    for name in ("class", "cluster_size", "group", "model"):
        if name in columns and len(found) and np.abs(columns[name]).max() >= 1 << 24:
            raise BadInputError(f"{name} ids above 2^24 cannot be stored in a box file")
    rows = [np.asarray(column, np.float32) for column in columns.values()]
    return list(columns), np.stack(rows, 1) if rows else np.zeros((0, len(columns)), np.float32)


def guessed_sizes(found: Detections) -> np.ndarray:
    """(I, 2) rows and columns that hold all boxes of each image, at least 1."""
    sizes = np.ones((len(found.images), 2), np.int64)
    for k in range(len(found)):
        x, y = math.ceil(found.boxes[k, 2]), math.ceil(found.boxes[k, 3])
        sizes[found.image[k]] = np.maximum(sizes[found.image[k]], (y, x))
    return sizes


def class_list(found: Detections) -> ClassList:
    """The classes by name; ``class-K`` where the source has numbers alone."""
    count = max([*found.names, int(found.classes.max(initial=-1))], default=-1) + 1
    if count > 1 << 16:
        raise BadInputError(f"class id {count - 1} is too large; a box file has at most 65536 classes")
    return ClassList(tuple(found.names.get(k, f"class-{k}") for k in range(count)) or ("object",))
