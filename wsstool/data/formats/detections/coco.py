"""COCO results: a JSON list of ``{image_id, category_id, bbox: [x, y, width, height], score}``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from wsstool.annotation_file import as_json, read_bytes
from wsstool.data.detections import COLUMNS, Detections
from wsstool.data.geometry.rle import decode
from wsstool.data.geometry.shapes import polygon_list
from wsstool.errors import BadInputError


def read(path: Path) -> Detections:
    """Read the boxes of a results file. Images and classes are named by their ids.

    ``side_std`` (four standard deviations: left, top, right, bottom) becomes the column ``std``; keys named
    in ``detections.COLUMNS`` become columns if every entry has them. All other keys are kept for ``write``.

    Raises:
        MissingInputError: no such file.
        BadInputError: not JSON in this format.
    """
    source = f"COCO results '{path}'"
    return parsed(read_bytes(Path(path), source), source)


def parsed(content: bytes, source: str) -> Detections:
    """See ``read``; ``source`` is the name for messages."""
    rows = as_json(content, source)
    if not isinstance(rows, list):
        raise BadInputError(f"{source} is not a list of detections")
    try:
        images = tuple(sorted({str(row["image_id"]) for row in rows}))
        place = {name: k for k, name in enumerate(images)}
        image = np.array([place[str(row["image_id"])] for row in rows], np.int64)
        classes = np.array([_whole(row["category_id"]) for row in rows], np.int64)
        scores = np.array([_number(row["score"]) for row in rows], np.float64)
        masks = tuple(row["segmentation"] for row in rows if "segmentation" in row)
        whole = bool(rows) and len(masks) == len(rows) and all("counts" in one for one in masks)
        boxes = np.array([_box(row, whole) for row in rows], np.float64).reshape(-1, 4)
        columns = {}
        if rows and all("side_std" in row for row in rows):
            columns["std"] = np.array([row["side_std"] for row in rows], np.float64).reshape(-1, 4)
        for name in COLUMNS:
            if rows and all(name in row for row in rows):
                columns[name] = np.array([float(row[name]) for row in rows])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise BadInputError(f"{source} is not a COCO results file ({what})") from None
    boxes[:, 2:] += boxes[:, :2]
    return Detections(
        images, image, boxes, scores, classes, {}, columns, None, tuple(rows), masks if whole else ()
    )


def _box(row: dict[str, Any], has_mask: bool) -> list[float]:
    """Return four numbers; a mask without a box gets its bounding box, or that of its corners."""
    shape = row.get("segmentation")
    if "bbox" in row or not shape:
        box = row["bbox"]
    elif has_mask:
        box = _around(decode(shape))
    else:
        corners = np.concatenate([np.reshape(part, (-1, 2)) for part in polygon_list(shape)]).astype(
            np.float64
        )
        box = [*corners.min(0), *np.ptp(corners, axis=0)]
    if len(box) != 4:
        raise ValueError(f"a bbox has {len(box)} numbers instead of 4")
    return [_number(number) for number in box]


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{json.dumps(value)} instead of a number")
    return float(value)


def _whole(value: Any) -> int:
    number = _number(value)
    if not number.is_integer() or abs(number) > 1 << 53:
        raise ValueError(f"category_id {value} is not an id")
    return int(number)


def _around(mask: np.ndarray) -> list[int]:
    """Return x, y, width, height of the foreground pixels; zero area if there are none."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return [0, 0, 0, 0]
    x, y = int(columns[0]), int(rows[0])
    return [x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y]


def written(found: Detections) -> str:
    """Return the text of a results file: the original entries with new boxes and scores.

    Raises:
        BadInputError: rotated boxes or shares of the image, which the format does not support.
    """
    if found.boxes.shape[1] != 4 or found.fractions:
        raise BadInputError("COCO results need axis-aligned boxes in pixels")
    columns = {"side_std" if key == "std" else key: column for key, column in found.columns.items()}
    lines = []
    for k in range(len(found)):
        row = dict(found.rows[k]) if found.rows else {}
        name = found.images[int(found.image[k])]
        row.setdefault("image_id", int(name) if name.isdecimal() else name)
        row.setdefault("category_id", int(found.classes[k]))
        x1, y1, x2, y2 = found.boxes[k].tolist()
        moved = [x1, y1, x2 - x1, y2 - y1]
        if not found.rows:
            row |= {key: column[k].tolist() for key, column in columns.items()}
        if "bbox" not in row or np.abs(np.subtract(row["bbox"], moved)).max() > 1e-9:
            row["bbox"] = [round(number, 3) for number in moved]
        if float(row.get("score", -1)) != found.scores[k]:
            if "score" in row:
                row.setdefault("original_score", row["score"])
            row["score"] = round(float(found.scores[k]), 7)
        lines.append(json.dumps(row, ensure_ascii=False))
    return "[" + ",\n".join(lines) + "]\n"
