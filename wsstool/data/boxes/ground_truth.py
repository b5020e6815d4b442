"""Ground-truth objects for scoring, with crowds, difficult objects and areas; from COCO, VOC or YOLO."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wsstool.data.boxes.table import read_boxes
from wsstool.data.dataset import open_dataset
from wsstool.data.formats.coco_index import read_index
from wsstool.errors import BadInputError, MissingInputError, UsageError


@dataclass(frozen=True)
class GroundTruthObjects:
    """Ground-truth objects of a dataset.

    Args:
        names: I file names.
        ids: I image ids of the source, as text.
        categories: id -> name.
        image, classes: (G,) int64: index of the image, id of the category.
        boxes: (G, 4) float64 xyxy in pixels.
        areas: (G,) in pixels, as annotated; area of the box if there is no annotation.
        measured: (G,) bool: the area is annotated.
        crowd: (G,) bool.
        masks: G masks as read by ``shapes.shape_mask``, None for objects without.
        sizes: (I, 2) rows and columns; 0: unknown.
    """

    names: tuple[str, ...]
    ids: tuple[str, ...]
    categories: dict[int, str]
    image: np.ndarray
    classes: np.ndarray
    boxes: np.ndarray
    areas: np.ndarray
    measured: np.ndarray
    crowd: np.ndarray
    masks: tuple[Any, ...]
    sizes: np.ndarray


def read_objects(path: Path) -> GroundTruthObjects:
    """Read the ground-truth objects of a COCO file or of a data folder.

    In a folder, a single ``boxes.json`` or ``instances*.json`` is read with its crowds; other boxes as
    validated by ``boxes.read_boxes``.

    Raises:
        MissingInputError: no such file, or no boxes.
        UsageError: several COCO files in the folder.
        BadInputError: not in COCO format.
    """
    if path.is_file():
        return _coco(path)
    files = sorted(
        [*path.glob("instances*.json"), *path.glob("annotations/instances*.json"), *path.glob("boxes.json")]
    )
    if len(files) > 1:
        raise UsageError(f"several COCO files in '{path}'; name one of them with --truth")
    if files:
        return _coco(files[0])
    if not path.is_dir():
        raise MissingInputError(f"there is no '{path}'")
    data = open_dataset(path, labels="images")
    table = read_boxes(data)
    boxes = np.concatenate([np.zeros((0, 4)), *(one.xyxy for one in table.boxes)]).astype(np.float64)
    return GroundTruthObjects(
        data.names,
        data.names,
        dict(enumerate(table.classes.names)),
        np.repeat(np.arange(len(table)), table.counts),
        np.concatenate([np.zeros(0, np.int64), *(one.class_ids for one in table.boxes)]).astype(np.int64),
        boxes,
        np.prod(boxes[:, 2:] - boxes[:, :2], axis=1),
        np.zeros(len(boxes), bool),
        np.zeros(len(boxes), bool),
        tuple(shape for shapes in table.shapes for shape in shapes),
        table.sizes,
    )


def _coco(path: Path) -> GroundTruthObjects:
    source = f"COCO file '{path}'"
    try:
        data: Any = json.loads(path.read_bytes())
        images, rows = data["images"], data["annotations"]
        index = read_index(data, source)
        first = index.first_ids
        place = {image["id"]: k for k, image in enumerate(images)}
        boxes = np.array([[float(x) for x in row["bbox"]] for row in rows]).reshape(-1, 4)
        found = GroundTruthObjects(
            tuple(str(image["file_name"]) for image in images),
            tuple(str(image["id"]) for image in images),
            {i: name for i, name in index.categories.items() if first[i] == i},
            np.array([place[row["image_id"]] for row in rows], np.int64),
            np.array([_category(row, first) for row in rows], np.int64),
            np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1),
            np.array([float(row.get("area", row["bbox"][2] * row["bbox"][3])) for row in rows]),
            np.array(["area" in row for row in rows], bool),
            np.array([bool(row.get("iscrowd", 0)) for row in rows], bool),
            tuple(row.get("segmentation") or None for row in rows),
            np.array([[image.get("height", 0), image.get("width", 0)] for image in images], np.int64).reshape(
                -1, 2
            ),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise BadInputError(f"{source} is not a COCO instances file ({what})") from None
    if not images:
        raise BadInputError(f"{source} lists no images")
    return found


def _category(row: dict[str, Any], first: dict[int, int]) -> int:
    """Return the category of an annotation; of several ids of one name the first."""
    category = int(row["category_id"])
    return first.get(category, category)
