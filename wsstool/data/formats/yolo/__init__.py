"""YOLO, one text file per image: lines ``class x-centre y-centre width height`` in shares of the image.

A line may also be a polygon, ``class x1 y1 x2 y2 x3 y3 ...``, a box with the keypoints of a pose, which are
not read, or a box with a score, which is ignored.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wsstool.data.classlist import with_background
from wsstool.data.formats import WrittenBox, WrittenBoxes
from wsstool.data.formats.yolo.lines import YoloLine, are_poses, read_lines
from wsstool.data.formats.yolo.names import NAME_LISTS, read_description
from wsstool.data.geometry.instances import AnnotatedImage, listed_classes
from wsstool.data.geometry.polygons import joined
from wsstool.data.listing import IMAGE_FOLDERS, without_suffix
from wsstool.errors import MissingInputError
from wsstool.types import ClassList


def candidates(root: Path) -> list[Path]:
    """Return the folder ``labels/`` if it contains text files, else ``SPLIT/labels/`` beside images."""
    alone, splits = root / "labels", sorted(root.glob("*/labels"))
    beside_images = [p for p in splits if any((p.parent / name).is_dir() for name in IMAGE_FOLDERS)]
    for folders in ([alone], beside_images):
        if found := [p for p in folders if p.is_dir() and next(p.rglob("*.txt"), None)]:
            return found
    return []


def read_boxes(
    folder: Path, names: Sequence[str] = (), *, more: Sequence[Path] = (), root: Path | None = None
) -> WrittenBoxes:
    """Read the boxes of a folder of YOLO labels; ``train/a.txt`` belongs to the image ``train/a``.

    Args:
        folder: the text files, at any depth.
        names: class names by number, used if there is no list of names beside the labels, see
            ``read_description``; ``class-K`` if there are too few.
        more: further folders, of other splits, with the same class names.
        root: the data folder of all splits, whose images are beside their labels; None: images are named as
            below the folder.

    Raises:
        MissingInputError: no text file.
        BadInputError: a line in another format, or lines of which it is not known whether they are polygons.
    """
    source = f"YOLO folder {str(folder if root is None else root)!r}"
    lines: list[YoloLine] = []
    images: dict[str, tuple[int, int] | None] = {}
    for one in (folder, *more):
        prefix = "" if root is None else f"{_beside(one).relative_to(root).as_posix()}/"
        for path in sorted(one.rglob("*.txt")):
            if path.name not in NAME_LISTS:
                images[prefix + path.relative_to(one).with_suffix("").as_posix()] = None
                lines += read_lines(one, path, prefix)
    if not images:
        raise MissingInputError(f"no *.txt in {source}")
    description = read_description(folder)
    poses = are_poses(lines, description, source)
    called, notes = description.numbered([line.number for line in lines])
    if not called and lines:
        called, notes = dict(enumerate(names)), [_unnamed(source, names)]
    nameless = [line.number for line in lines if line.number not in called] if called else []
    if nameless:
        listed = "the class list" if description.names is None else repr(str(description.source))
        notes.append(
            f"{len(nameless)} objects of {source} have a class number that {listed} does not name, such as "
            f"{nameless[0]}; they are called class-{nameless[0]}"
        )
    if poses and any(line.is_long for line in lines):
        notes.append(f"the keypoints of {source} are not read, only its boxes")
    last = max([*called, *(line.number for line in lines)], default=-1)
    called = {k: called.get(k, f"class-{k}") for k in range(last + 1)}
    rows = tuple(
        WrittenBox(line.image, called[line.number], line.polygon_box, id=number, shape=[line.values])
        if line.is_long and not poses
        else WrittenBox(line.image, called[line.number], line.box, id=number)
        for number, line in enumerate(lines, 1)
    )
    classes = with_background(list(dict.fromkeys(called.values())) or ["object"])
    return WrittenBoxes(source, "cxcywh", images, rows, classes, fractions=True, notes=tuple(notes))


def _beside(labels: Path) -> Path:
    """The folder of images beside a folder of labels."""
    return next(labels.parent / name for name in IMAGE_FOLDERS if (labels.parent / name).is_dir())


def _unnamed(source: str, names: Sequence[str]) -> str:
    if names:
        return (
            f"{source} has no class names (data.yaml or classes.txt); its class numbers count the class list "
            f"of the data folder from 0: 0 is '{names[0]}'"
        )
    return f"{source} has no class names (data.yaml or classes.txt); its classes are called class-0 and so on"


def write(images: Sequence[AnnotatedImage], target: Path, classes: ClassList) -> None:
    """Write YOLO's segmentation labels: ``labels/NAME.txt`` in shares of the image, and ``data.yaml``.

    Args:
        images: images and objects to write; an image without objects has an empty file.
        target: the folder.
        classes: numbered from 0; background is left out unless an object has that class.

    Notes:
        Each object is one polygon: parts and holes are joined by cuts of zero width. Scores and ids cannot be
        stored.

    Source: Ultralytics' description of the format; written from it.
    """
    number = {classes.names[i]: k for k, i in enumerate(listed_classes(images, classes))}
    target.mkdir()
    for image in images:
        lines = []
        for instance in image.instances:
            shares = joined(instance.polygons()) / np.array([image.size[1], image.size[0]])
            lines.append(" ".join([str(number[instance.label]), *(f"{v:.8g}" for v in shares.reshape(-1))]))
        path = target / "labels" / (without_suffix(image.name) + ".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    names = "".join(f"  {k}: {json.dumps(name, ensure_ascii=False)}\n" for name, k in number.items())
    head = "path: .\ntrain: images\nval: images\ntask: segment\nnames:\n"
    (target / "data.yaml").write_text(head + names, "utf-8")
