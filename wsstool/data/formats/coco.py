"""COCO instances: the annotated categories of an image as tags, including crowds; and the boxes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from wsstool.annotation_file import read_json
from wsstool.data.classlist import with_background
from wsstool.data.formats import Tags, WrittenBox, WrittenBoxes
from wsstool.data.images import MAX_PIXELS
from wsstool.errors import BadInputError, UsageError
from wsstool.types import ClassList


def candidates(root: Path, split: str | None = None) -> list[Path]:
    """Return the instance files of a folder, only one if the name of the split decides.

    Raises:
        UsageError: several files, and the split does not decide.
    """
    found = sorted([*root.glob("instances*.json"), *root.glob("annotations/instances*.json")])
    if len(found) > 1:
        pattern = re.compile(rf"instances_{re.escape(split or '')}\d*")
        fitting = [path for path in found if split and pattern.fullmatch(path.stem)]
        exact = [path for path in fitting if path.stem == f"instances_{split}"]
        found = exact or fitting or found
    if len(found) > 1:
        spelled = ", ".join(path.relative_to(root).as_posix() for path in found)
        raise UsageError(f"several COCO files fit: {spelled}; name a split, or one of them with --labels")
    return found or [path for path in [root / "boxes.json"] if path.is_file()]


def read(path: Path, classes: ClassList | None = None) -> Tags:
    """Read the tags of a COCO file: all its images, also those without annotations.

    Class ids follow the order of category ids without gaps, after a background. A category ``potted plant``
    also matches ``potted_plant`` in a class list.

    Raises:
        MissingInputError: no such file.
        BadInputError: not JSON in this format, or an annotation of an unknown image or category.
    """
    source = f"COCO file {str(path)!r}"
    data = _load(path, source)
    try:
        ordered = sorted(data["categories"], key=lambda c: int(c["id"]))
        names = {int(c["id"]): str(c["name"]) for c in ordered}
        files = {image["id"]: str(image["file_name"]) for image in data["images"]}
        found: dict[str, dict[str, None]] = {name: {} for name in files.values()}
        if classes is None:
            classes = with_background(list(names.values()))
        spelled = {i: in_list(name, classes) for i, name in names.items()}
        for number, annotation in enumerate(data["annotations"]):
            image, category = annotation["image_id"], int(annotation["category_id"])
            if image not in files:
                raise BadInputError(
                    f"{source}: annotation {number} is of image {image!r}, which is not listed"
                )
            if category not in spelled:
                raise BadInputError(f"{source}: annotation {number} has the unknown category {category}")
            found[files[image]][spelled[category]] = None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise BadInputError(f"{source} has not the form of COCO instances ({what})") from None
    return Tags(source, {name: tuple(tags) for name, tags in found.items()}, classes, only=True)


def read_boxes(path: Path, like: Path | None = None) -> WrittenBoxes:
    """Read the boxes of a COCO file. Without categories all objects are of one class, ``object``.

    Args:
        path: the file; with ``like`` it may be a list of results.
        like: the COCO file that defines the image and category ids of results.

    Raises:
        MissingInputError: no such file.
        BadInputError: not JSON in this format; boxes that are not four numbers are kept, as NaN.
    """
    source = f"COCO file {str(path)!r}"
    return parse(read_json(path, source), source, like)


def parse(data: Any, source: str, like: Path | None = None) -> WrittenBoxes:
    """Extract the boxes from the content of a COCO file (see ``read_boxes``)."""
    if isinstance(data, list):
        if like is None:
            raise BadInputError(
                f"{source} is a list of results without images; use 'wsstool import --like' to read it with "
                "the COCO file that lists the images"
            )
        data = {**_load(like, f"COCO file {str(like)!r}"), "annotations": data}
    elif not isinstance(data, dict):
        raise BadInputError(f"{source} is not a COCO instances file (not a JSON object)")
    try:
        ordered = sorted(data.get("categories") or (), key=lambda c: int(c["id"]))
        names = {int(c["id"]): str(c["name"]) for c in ordered}
        files = {image["id"]: str(image["file_name"]) for image in data["images"]}
        sizes = {str(image["file_name"]): _stated_size(image) for image in data["images"]}
        rows = []
        for number, annotation in enumerate(data["annotations"]):
            if annotation["image_id"] not in files:
                raise BadInputError(
                    f"{source}: annotation {number} is of image {annotation['image_id']!r}, "
                    "which is not listed"
                )
            category = int(annotation["category_id"]) if names else None
            if category is not None and category not in names:
                raise BadInputError(f"{source}: annotation {number} has the unknown category {category}")
            rows.append(
                WrittenBox(
                    files[annotation["image_id"]],
                    "object" if category is None else names[category],
                    four_numbers(annotation.get("bbox")),
                    _whole(annotation.get("id")),
                    bool(annotation.get("iscrowd", 0)),
                    annotation.get("segmentation") or None,
                    _share(annotation.get("score", 1)),
                )
            )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise BadInputError(f"{source} has not the form of COCO instances ({what})") from None
    classes = with_background(list(names.values()) or ["object"])
    return WrittenBoxes(source, "xywh", sizes, tuple(rows), classes)


def four_numbers(values: Any) -> tuple[float, float, float, float]:
    """Return four floats; four NaN if the values are anything else."""
    try:
        a, b, c, d = (float(value) for value in values)
    except (TypeError, ValueError, OverflowError):
        return (float("nan"),) * 4
    return a, b, c, d


def _stated_size(image: dict[str, Any]) -> tuple[int, int] | None:
    rows, columns = int(image.get("height") or 0), int(image.get("width") or 0)
    if rows * columns > MAX_PIXELS:
        raise ValueError(f"an image with {columns} x {rows} pixels is too large")
    return (rows, columns) if rows > 0 and columns > 0 else None


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and 0 <= value < 2**63 else -1


def _share(value: Any) -> float:
    """Return a score; 1 for anything but a number from 0 to 1."""
    return float(value) if isinstance(value, int | float) and 0 <= value <= 1 else 1.0


def _load(path: Path, source: str) -> dict[str, Any]:
    data = read_json(path, source)
    if not isinstance(data, dict):
        found = "a list of detections without images" if isinstance(data, list) else "not a JSON object"
        raise BadInputError(f"{source} is not a COCO instances file ({found})")
    return data


def in_list(name: str, classes: ClassList) -> str:
    """Return a name as spelled in the class list, which may have underscores for spaces."""
    joined = name.replace(" ", "_")
    return joined if name not in classes.names and joined in classes.names else name
