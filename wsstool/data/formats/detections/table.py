"""Detections as CSV, one line per box: ``image,x0,y0,x1,y1,score,class`` and more columns, in any order."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from wsstool.annotation_file import read_bytes
from wsstool.data.detections import COLUMNS, Detections
from wsstool.errors import BadInputError

CORNERS = ("x0", "y0", "x1", "y1")
OTHER_CORNERS = (("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"))
TURNED = ("cx", "cy", "width", "height", "angle")
DEVIATIONS = ("std_x0", "std_y0", "std_x1", "std_y1")


def read(path: Path) -> Detections:
    """Read the boxes of a table; ``cx,cy,width,height,angle`` (radians) instead of corners are rotated boxes.

    Corners may also be named ``x1,y1,x2,y2`` or ``xmin,ymin,xmax,ymax``.

    ``class`` may contain numbers or names, and may be missing; further columns: ``std_x0`` to ``std_y1`` and
    those of ``detections.COLUMNS``. All others are kept for ``written``.

    Raises:
        MissingInputError: no such file.
        BadInputError: no header with these columns, or a value that is not a number.
    """
    source = f"table '{path}'"
    return parsed(read_bytes(Path(path), source), source)


def parsed(content: bytes, source: str) -> Detections:
    """See ``read``; ``source`` is the name for messages."""
    try:
        table = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        rows = list(table)
        header = [name.strip() for name in table.fieldnames or ()]
    except (ValueError, csv.Error) as error:
        raise BadInputError(f"{source} cannot be read ({error})") from None
    sides = _sides(header)
    wanted = ("image", *sides, "score")
    missing = [name for name in wanted if name not in header]
    if missing:
        raise BadInputError(f"{source} has no column '{missing[0]}'; it needs {', '.join(wanted)}")

    def numbers(name: str) -> np.ndarray:
        found = np.empty(len(rows))
        for k, row in enumerate(rows):
            try:
                found[k] = float(row[name])
            except (TypeError, ValueError):
                raise BadInputError(f"{source}, line {k + 2}: {name} {row[name]!r} is not a number") from None
        return found

    images = tuple(sorted({row["image"] for row in rows}))
    place = {name: k for k, name in enumerate(images)}
    classes, names = _classes([row["class"] for row in rows] if "class" in header else None, len(rows))
    columns = {name: numbers(name) for name in COLUMNS if name in header}
    if set(DEVIATIONS) <= set(header):
        columns["std"] = np.stack([numbers(name) for name in DEVIATIONS], 1)
    boxes = np.stack([numbers(name) for name in sides], 1)
    image = np.array([place[row["image"]] for row in rows], np.int64)
    return Detections(
        images, image, boxes, numbers("score"), classes, names, columns, None, tuple(map(dict, rows))
    )


def _sides(header: list[str]) -> tuple[str, ...]:
    """Return the column names of the boxes, whichever are present."""
    return next((one for one in (TURNED, *OTHER_CORNERS) if set(one) <= set(header)), CORNERS)


def _classes(texts: list[str] | None, n: int) -> tuple[np.ndarray, dict[int, str]]:
    if texts is None:
        return np.zeros(n, np.int64), {}
    try:
        return np.array([int(text) for text in texts], np.int64), {}
    except OverflowError:
        raise BadInputError(f"class {max(texts, key=len)} is too large") from None
    except (TypeError, ValueError):
        names = sorted({str(text) for text in texts})
        number = {name: k for k, name in enumerate(names)}
        return np.array([number[str(text)] for text in texts], np.int64), dict(enumerate(names))


def _columns(found: Detections) -> dict[str, np.ndarray]:
    """Return further columns by their names in a table, (N,) each."""
    columns = {name: column for name, column in found.columns.items() if name in COLUMNS}
    if "std" in found.columns:
        columns |= dict(zip(DEVIATIONS, found.columns["std"].T, strict=True))
    return columns


def written(found: Detections) -> str:
    """Return the text of a table: the original lines with new coordinates and scores."""
    header = _sides(list(found.rows[0])) if found.rows else CORNERS
    header = TURNED if found.boxes.shape[1] == 5 else header
    fields = list(found.rows[0]) if found.rows else ["image", *header, "score", "class"]
    fields += [name for name in (*header, "score", "class") if name not in fields]
    more = {} if found.rows else _columns(found)
    fields += list(more)
    rows = []
    for k in range(len(found)):
        row: dict[str, object] = dict(found.rows[k]) if found.rows else {}
        row |= {name: column[k].item() for name, column in more.items()}
        row.setdefault("image", found.images[int(found.image[k])])
        row.setdefault("class", found.names.get(int(found.classes[k]), int(found.classes[k])))
        for name, value in zip(
            (*header, "score"), (*found.boxes[k].tolist(), float(found.scores[k])), strict=True
        ):
            if name not in row or float(str(row[name])) != value:
                if name == "score" and name in row:
                    row.setdefault("original_score", row[name])
                row[name] = round(value, 7)
        rows.append(row)
    if any("original_score" in row for row in rows) and "original_score" not in fields:
        fields.append("original_score")
        for row in rows:
            row.setdefault("original_score", row["score"])
    text = io.StringIO()
    table = csv.DictWriter(text, [name for name in fields if name is not None], extrasaction="ignore")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()
