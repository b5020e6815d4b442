"""COCO instances: the annotated categories of an image as tags, including crowds; and the boxes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wsstool.annotation_file import is_found, read_json
from wsstool.data.classlist import with_background
from wsstool.data.formats import Tags, WrittenBox, WrittenBoxes
from wsstool.data.formats.coco_index import CocoIndex, read_index
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
    return found or [path for path in [root / "boxes.json"] if is_found(path)]


def read(path: Path, classes: ClassList | None = None) -> Tags:
    """Read the tags of a COCO file: all its images, also those without annotations.

    Class ids follow the order of category ids without gaps, after a background. A category ``potted plant``
    also matches ``potted_plant`` in a class list.

    Raises:
        MissingInputError: no such file.
        BadInputError: not JSON in this format, an id twice, or an annotation of an unknown image or category.
    """
    source = f"COCO file {str(path)!r}"
    data = _load(path, source)
    try:
        if "categories" not in data:
            raise KeyError("categories")
        index = read_index(data, source)
        found: dict[str, dict[str, None]] = {name: {} for name in index.sizes}
        if classes is None:
            classes = with_background(index.names)
        spelled = {i: in_list(name, classes) for i, name in index.categories.items()}
        for number, annotation in enumerate(data["annotations"]):
            image, category = _checked(annotation, number, index, source)
            found[image][spelled[category]] = None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise BadInputError(f"{source} has not the form of COCO instances ({what})") from None
    tags = {name: tuple(names) for name, names in found.items()}
    return Tags(source, tags, classes, only=True, notes=index.notes)


def read_boxes(path: Path, like: Path | None = None) -> WrittenBoxes:
    """Read the boxes of a COCO file. Without categories all objects are of one class, ``object``.

    Args:
        path: the file; with ``like`` it may be a list of results.
        like: the COCO file that defines the image and category ids of results.

    Raises:
        MissingInputError: no such file.
        BadInputError: not JSON in this format, or an id twice; boxes that are not four numbers are kept, as
            NaN.
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
        index = read_index(data, source)
        annotations = data["annotations"]
        is_crowd, notes = _crowds(annotations, source)
        rows = []
        for number, annotation in enumerate(annotations):
            image, category = _checked(annotation, number, index, source)
            rows.append(
                WrittenBox(
                    image,
                    index.categories.get(category, "object"),
                    four_numbers(annotation.get("bbox")),
                    _whole(annotation.get("id")),
                    is_crowd[number],
                    annotation.get("segmentation") or None,
                    _share(annotation.get("score", 1)),
                )
            )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise BadInputError(f"{source} has not the form of COCO instances ({what})") from None
    classes = with_background(index.names or ["object"])
    return WrittenBoxes(source, "xywh", index.sizes, tuple(rows), classes, notes=(*index.notes, *notes))


def _checked(annotation: dict[str, Any], number: int, index: CocoIndex, source: str) -> tuple[str, int]:
    """Return the image and the category of an annotation; without categories that is -1."""
    image = annotation["image_id"]
    if image not in index.files:
        raise BadInputError(f"{source}: annotation {number} is of image {image!r}, which is not listed")
    category = int(annotation["category_id"]) if index.categories else -1
    if index.categories and category not in index.categories:
        raise BadInputError(f"{source}: annotation {number} has the unknown category {category}")
    return index.files[image], category


def _crowds(annotations: Sequence[dict[str, Any]], source: str) -> tuple[list[bool], list[str]]:
    """Return which annotations surround several objects, and notes about marks that are not followed.

    CVAT marks every mask that is drawn with a brush. Such a mask is known by CVAT's attribute ``occluded``;
    and where every mask of a file has the mark, it tells nothing apart.
    """
    marked = [bool(one.get("iscrowd", 0)) for one in annotations]
    masked = [bool(one.get("segmentation")) for one in annotations]
    every = any(masked) and all(mark for mark, mask in zip(marked, masked, strict=True) if mask)
    brushed = [
        mark and mask and (every or _is_of_cvat(one))
        for one, mark, mask in zip(annotations, marked, masked, strict=True)
    ]
    if not any(brushed):
        return marked, []
    why = "as every mask there is" if every else "as CVAT marks what is drawn with a brush"
    note = f"{sum(brushed)} masks of {source} are marked iscrowd, {why}; they are read as single objects"
    return [mark and not brush for mark, brush in zip(marked, brushed, strict=True)], [note]


def _is_of_cvat(annotation: dict[str, Any]) -> bool:
    attributes = annotation.get("attributes")
    return isinstance(attributes, dict) and "occluded" in attributes


def four_numbers(values: Any) -> tuple[float, float, float, float]:
    """Return four floats; four NaN if the values are anything else."""
    try:
        a, b, c, d = (float(value) for value in values)
    except (TypeError, ValueError, OverflowError):
        return (float("nan"),) * 4
    return a, b, c, d


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
