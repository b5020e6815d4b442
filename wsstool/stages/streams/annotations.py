"""Describe the boxes of a data folder, and annotation files of other programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from wsstool.data.boxes.table import read_boxes
from wsstool.data.dataset import Dataset
from wsstool.data.formats.box_file import read_box_file
from wsstool.errors import MissingInputError, WsstoolError
from wsstool.types import Messages


def describe_boxes(dataset: Dataset, messages: Messages) -> dict[str, Any] | None:
    """Count the boxes of a data folder; None if it has none. What cannot be read is a warning.

    Returns:
        ``source``, ``objects``, ``images`` (with an object), ``masks``, ``objects_by_class``, ``left_out``.
    """
    try:
        table = read_boxes(dataset, messages=messages)
    except MissingInputError:
        return None
    except WsstoolError as error:
        messages.warn(f"boxes are not counted: {error}")
        return None
    names = [table.classes.names[k] for one in table.boxes for k in one.class_ids.tolist()]
    return {
        "source": table.source,
        "objects": int(table.counts.sum()),
        "images": int(np.count_nonzero(table.counts)),
        "masks": sum(shape is not None for shapes in table.shapes for shape in shapes),
        "objects_by_class": _counted(names),
        "left_out": dict(sorted(table.dropped.items())),
    }


def describe_annotations(path: Path, messages: Messages) -> dict[str, Any]:
    """Count what an annotation file of COCO, CVAT or Label Studio contains, whatever images there are.

    Returns:
        ``file``, ``format``, ``images``, ``images_with_objects``, ``objects``, ``boxes`` and ``masks``
        (objects that have one), ``classes``, ``objects_by_class``, ``left_out``; with labels of whole images
        also ``images_by_label``.

    Raises:
        MissingInputError: no such file.
        BadInputError: another format, or malformed.
    """
    written = read_box_file(path)
    for note in written.notes:
        messages.warn(note)
    left_out = Counter(written.dropped)
    if crowds := sum(row.crowd for row in written.rows):
        left_out["crowd region"] = crowds
    rows = [row for row in written.rows if not row.crowd]
    found: dict[str, Any] = {
        "file": str(path),
        "format": written.source.partition(" file ")[0],
        "images": len(written.images),
        "images_with_objects": len({row.image for row in rows}),
        "objects": len(rows),
        "boxes": sum(bool(np.isfinite(row.numbers).all()) for row in rows),
        "masks": sum(row.shape is not None for row in rows),
        "classes": [written.classes.names[i] for i in written.classes.foreground],
        "objects_by_class": _counted(row.name for row in rows),
    }
    if any(written.tags.values()):
        left_out.pop("tag", None)
        left_out.pop("choices", None)
        found["images_by_label"] = _counted(name for names in written.tags.values() for name in set(names))
    return {**found, "left_out": dict(sorted(left_out.items()))}


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))
