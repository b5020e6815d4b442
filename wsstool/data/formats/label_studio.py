"""Label Studio's JSON: tasks with annotations or predictions of rectangles, polygons and brushes."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from wsstool.annotation_file import read_json
from wsstool.data.classlist import with_background
from wsstool.data.formats import Tags, WrittenBox, WrittenBoxes, brush
from wsstool.data.formats.coco import in_list
from wsstool.data.formats.tags.choices import choices, minimal_labels
from wsstool.data.geometry import rle
from wsstool.data.geometry.instances import AnnotatedImage, Instance, check_shape
from wsstool.data.geometry.polygons import joined
from wsstool.data.listing import is_image_name
from wsstool.data.names.trailing_paths import path_of_address
from wsstool.errors import BadInputError, UsageError
from wsstool.image_size import MAX_PIXELS
from wsstool.types import ClassList

_NAN = (math.nan, math.nan, math.nan, math.nan)
_SHAPES = ("rectangle", "polygon", "brush")
_DOUBLED = "several labels"
_UPLOAD = re.compile(r"^(?:.*/)?upload/(?:\d+/)?(?:[0-9a-f]{8}-)?(.+)$")


def read_boxes(path: Path) -> WrittenBoxes:
    """Read the objects of a Label Studio export ("JSON").

    Raises:
        MissingInputError: no such file.
        BadInputError: not JSON in this format, or a region without a required field.
    """
    source = f"Label Studio file {str(path)!r}"
    return parse(read_json(path, source), source)


def parse(data: Any, source: str) -> WrittenBoxes:
    """Extract the objects from the tasks of an export (see ``read_boxes``).

    Notes:
        Of several annotations of a task the one marked as ground truth is used, else the one updated last;
        cancelled ones never; a task without annotations gives its first predictions, reported in ``notes``.
        Rotated rectangles are skipped, since their upright extent would not be tight.
    """
    tasks = [data] if isinstance(data, dict) else data
    images: dict[str, tuple[int, int] | None] = {}
    rows: list[WrittenBox] = []
    dropped: Counter[str] = Counter()
    tags: dict[str, tuple[str, ...]] = {}
    several = predicted = 0
    try:
        for number, task in enumerate(tasks, 1):
            where = f"{source}, task {task.get('id', number)}"
            if "data" not in task:
                raise BadInputError(f"{where} has no 'data'; export as 'JSON', not as 'JSON-MIN' or 'CSV'")
            name = image_name(task["data"], where)
            if name in images:
                raise BadInputError(f"{source} lists image {name!r} twice")
            images[name] = None
            chosen, of_many, is_prediction = _chosen(task)
            several += of_many
            predicted += is_prediction
            images[name] = _regions(chosen, name, rows, dropped, where)
            tags[name] = choices(chosen.get("result") or ())
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, IndexError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise BadInputError(f"{source} is not a Label Studio export ({what})") from None
    notes = []
    if several:
        notes.append(
            f"{several} tasks of {source} have several annotations; using the one marked as ground truth, "
            "else the one updated last"
        )
    if predicted:
        notes.append(f"{predicted} tasks of {source} have no annotation; using their first predictions")
    if doubled := dropped.pop(_DOUBLED, 0):
        notes.append(f"{doubled} regions of {source} have several labels; each label is read as an object")
    used = {row.name for row in rows} | {name for names in tags.values() for name in names}
    classes = with_background(sorted(used) or ["object"])
    return WrittenBoxes(
        source,
        "xyxy",
        images,
        tuple(rows),
        classes,
        dropped=dropped,
        notes=tuple(notes),
        tags=tags,
        explicit=True,
    )


def recognises(data: Any) -> bool:
    """Whether a JSON value is an export of Label Studio."""
    first = data[0] if isinstance(data, list) and data else data
    return isinstance(first, dict) and ("data" in first or "annotation_id" in first)


def read_minimal(data: list[dict[str, Any]], source: str, classes: ClassList | None = None) -> Tags:
    """Extract the labels of images from JSON-MIN; of several annotations of an image the last one counts.

    Raises:
        BadInputError: not in this format, or several fields that may hold choices.
    """
    try:
        ordered = sorted(
            data, key=lambda one: (str(one.get("updated_at") or ""), one.get("annotation_id") or 0)
        )
        names = [image_name(one, f"{source}, task {one.get('id', '?')}") for one in ordered]
        rows = dict(zip(names, minimal_labels(ordered, source), strict=True))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInputError(f"{source} is not a Label Studio export ({error})") from None
    if classes is None:
        classes = with_background(sorted({name for some in rows.values() for name in some}) or ["object"])
    rows = {image: tuple(in_list(name, classes) for name in some) for image, some in rows.items()}
    again = len(names) - len(rows)
    notes = [f"{again} images of {source} have several annotations; using the one updated last"] * bool(again)
    return Tags(source, rows, classes, only=True, notes=tuple(notes))


def _chosen(task: dict[str, Any]) -> tuple[dict[str, Any], bool, bool]:
    """Return the annotation of a task to read, whether there were several, and whether it is a prediction."""
    done = [a for a in task.get("annotations") or () if not a.get("was_cancelled")]
    if done:
        best = max(
            done,
            key=lambda a: (bool(a.get("ground_truth")), str(a.get("updated_at") or ""), a.get("id") or 0),
        )
        return best, len(done) > 1, False
    predictions = task.get("predictions") or ()
    return (predictions[0] if predictions else {}), False, bool(predictions)


def image_name(fields: dict[str, Any], where: str) -> str:
    """Return the name of the image that a task's ``data`` names, relative to the storage or as uploaded."""
    texts = [v for v in fields.values() if isinstance(v, str)]
    value = fields.get("image") if isinstance(fields.get("image"), str) else None
    if value is None:
        fitting = [v for v in texts if is_image_name(path_of_address(v))]
        if len(fitting) != 1:
            raise BadInputError(f"{where}: its data names {len(fitting)} images instead of one")
        value = fitting[0]
    path = path_of_address(value)
    uploaded = _UPLOAD.match(path)
    return uploaded[1] if uploaded else path.lstrip("/")


def _regions(
    annotation: dict[str, Any], name: str, rows: list[WrittenBox], dropped: Counter[str], where: str
) -> tuple[int, int] | None:
    """Append the objects of an annotation; return the image size that they state, if any."""
    size: tuple[int, int] | None = None
    used: set[int] = set()
    for number, region in enumerate(annotation.get("result") or (), 1):
        if region.get("type") in _SHAPES:
            continue  # a bare shape; its label is in 'labels' under the same id
        at = f"{where}, region {number}"
        shape, labels = _shape_and_labels(region)
        if not shape:
            dropped[str(region.get("type") or "without a type")] += 1
        elif not labels:
            dropped["without a label"] += 1
        else:
            size = _stated_size(region, size, at)
            if reason := _turned(region, shape):
                dropped[reason] += 1
                continue
            numbers, outline = _geometry(shape, region["value"], size, at)
            score = _score(region.get("score", annotation.get("score")))
            dropped[_DOUBLED] += len(labels) > 1
            for label in labels:
                own = _number(region.get("id", ""), used)
                rows.append(WrittenBox(name, label, numbers, own, shape=outline, score=score))
    return size


def _shape_and_labels(region: dict[str, Any]) -> tuple[str, list[str]]:
    """``rectangle``, ``polygon`` or ``brush``, empty for other regions; and the labels."""
    kind, value = str(region.get("type", "")), region.get("value") or {}
    if kind == "labels":
        shape = "brush" if "rle" in value else "polygon" if "points" in value else "rectangle"
    else:
        shape = next((one for one in _SHAPES if kind == f"{one}labels"), "")
    labels = [str(label).strip() for label in (value.get(kind) or ()) if shape]
    return shape, [label for label in dict.fromkeys(labels) if label]


def _stated_size(region: dict[str, Any], before: tuple[int, int] | None, where: str) -> tuple[int, int]:
    """Rows and columns of the image; those of all its regions must agree."""
    stated = (int(region["original_height"]), int(region["original_width"]))
    if min(stated) < 1 or stated[0] * stated[1] > MAX_PIXELS or before not in (None, stated):
        raise BadInputError(f"{where}: {stated[1]} x {stated[0]} pixels is not the size of the image")
    return stated


def _turned(region: dict[str, Any], shape: str) -> str:
    """Why a region cannot be read upright, or an empty string."""
    if float(region.get("image_rotation") or 0) % 360:
        return "on a turned image"
    is_turned = shape == "rectangle" and float(region["value"].get("rotation") or 0) % 360
    return "rotated box" if is_turned else ""


def _number(value: Any, used: set[int]) -> int:
    """The id of a region if it is a number that no earlier region has, else -1."""
    text = str(value)
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1
    if number in used:
        return -1
    used.add(number)
    return number


def _score(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and 0 <= value <= 1 else 1.0


def _geometry(
    kind: str, value: dict[str, Any], size: tuple[int, int], where: str
) -> tuple[tuple[float, float, float, float], list[Any] | None]:
    """Return the box in pixels, or the shape, of a region whose coordinates are percent of the image."""
    scale = np.array([size[1], size[0]]) / 100
    if kind == "rectangle":
        x, y, w, h = (float(value[key]) for key in ("x", "y", "width", "height"))
        x0, y0, x1, y1 = (np.array([x, y, x + w, y + h]) * np.tile(scale, 2)).tolist()
        return (x0, y0, x1, y1), None
    if kind == "polygon":
        points = np.asarray(value["points"], np.float64).reshape(-1, 2) * scale
        if not np.isfinite(points).all():
            raise BadInputError(f"{where} has a corner that is not a number")
        return _NAN, [points.reshape(-1).tolist()]
    try:
        packed = rle.encode(brush.decode(value["rle"], size))
    except BadInputError as error:
        raise BadInputError(f"{where}: {error}") from None
    return _NAN, [{"size": packed["size"], "counts": rle.pack(packed["counts"])}]


def write(
    images: Sequence[AnnotatedImage],
    target: Path,
    classes: ClassList,
    *,
    shape: str = "mask",
    place: str = "predictions",
    url: str = "/data/local-files/?d=",
) -> None:
    """Write Label Studio tasks, for "Import".

    Args:
        images: images and objects to write.
        target: the JSON file.
        classes: not needed, labels are referred to by name.
        shape: ``mask`` for brushes, ``polygon`` for one polygon per object, parts and holes joined by cuts,
            ``box`` for rectangles.
        place: ``predictions``, to be reviewed, or ``annotations``, as if drawn by hand.
        url: prefix of the image names.

    Raises:
        UsageError: unknown ``shape`` or ``place``.

    Notes:
        The regions belong to an image tag called ``image`` and a control tag ``label``. Label Studio creates
        new tasks from what it imports.

    Source: Label Studio's documentation of its export; written from it.
    """
    check_shape(shape, "mask", "polygon", "box")
    if place not in ("predictions", "annotations"):
        raise UsageError(f"--set place={place}: give predictions or annotations")
    with open(target, "w", encoding="utf-8", newline="\n") as file:
        file.write("[")
        for number, image in enumerate(images):
            regions = [_region(instance, image.size, shape, k) for k, instance in enumerate(image.instances)]
            filled: dict[str, Any] = {"result": regions}
            if place == "predictions":
                filled["model_version"] = "wsstool"
                filled["score"] = min((i.score for i in image.instances), default=1.0)
            task = {"data": {"image": url + quote(image.name)}, place: [filled]}
            file.write(("," if number else "") + "\n" + json.dumps(task, ensure_ascii=False))
        file.write("\n]\n")


def _region(instance: Instance, size: tuple[int, int], shape: str, number: int) -> dict[str, Any]:
    rows, columns = size
    value: dict[str, Any]
    if shape == "mask":
        kind = "brushlabels"
        value = {"format": "rle", "rle": brush.encode(instance.placed(size) == 1)}
    elif shape == "box":
        kind = "rectanglelabels"
        x0, y0, x1, y1 = (np.array(instance.box) * np.tile(100 / np.array([columns, rows]), 2)).tolist()
        value = {"x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0, "rotation": 0}
    else:
        kind = "polygonlabels"
        points = joined(instance.polygons()) * (100 / np.array([columns, rows]))
        value = {"points": points.tolist(), "closed": True}
    return {
        "id": str(instance.id),
        "from_name": "label",
        "to_name": "image",
        "type": kind,
        "original_width": columns,
        "original_height": rows,
        "image_rotation": 0,
        "value": {**value, kind: [instance.label]},
        "score": instance.score,
    }
