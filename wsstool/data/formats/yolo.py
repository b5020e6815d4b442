"""YOLO, one text file per image: lines ``class x-centre y-centre width height`` in shares of the image.

A line may also be a polygon, ``class x1 y1 x2 y2 x3 y3 ...``, or end with a score, which is ignored.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

from wsstool.data.classlist import read_class_list, with_background
from wsstool.data.formats import WrittenBox, WrittenBoxes
from wsstool.data.geometry.instances import AnnotatedImage, listed_classes
from wsstool.data.geometry.polygons import joined
from wsstool.data.listing import without_suffix
from wsstool.errors import BadInputError, MissingInputError
from wsstool.types import ClassList

_NAME_LISTS = ("classes.txt", "obj.names")
_MOST_CLASSES = 65535
_YAMLS = ("data.yaml", "dataset.yaml", "data.yml")


def candidates(root: Path) -> list[Path]:
    """Return the folder ``labels/`` if it contains text files."""
    folder = root / "labels"
    return [folder] if folder.is_dir() and next(folder.rglob("*.txt"), None) else []


def read_boxes(folder: Path, names: Sequence[str] = ()) -> WrittenBoxes:
    """Read the boxes of a folder of YOLO labels; ``train/a.txt`` belongs to the image ``train/a``.

    Args:
        folder: the text files, at any depth.
        names: class names by number, used if neither the folder nor its parent has ``classes.txt``,
            ``obj.names`` or ``data.yaml``; ``class-K`` if there are too few.

    Raises:
        MissingInputError: no text file.
        BadInputError: a line in another format.
    """
    source = f"YOLO folder {str(folder)!r}"
    files = [p for p in sorted(folder.rglob("*.txt")) if p.name not in _NAME_LISTS]
    if not files:
        raise MissingInputError(f"no *.txt in {source}")
    found: list[tuple[str, int, tuple[float, float, float, float], list[list[float]] | None]] = []
    images: dict[str, tuple[int, int] | None] = {}
    for path in files:
        image = path.relative_to(folder).with_suffix("").as_posix()
        images[image] = None
        for number, line in enumerate(_lines(path), 1):
            if line.strip():
                where = f"{str(path)!r}, line {number}"
                found.append((image, *_parsed(line.split(), where)))
    called = list(_names(folder) or names)
    called += [f"class-{k}" for k in range(len(called), max((k for _, k, _, _ in found), default=-1) + 1)]
    rows = tuple(
        WrittenBox(image, called[k], box, id=number, shape=polygons)
        for number, (image, k, box, polygons) in enumerate(found, 1)
    )
    classes = with_background(called or ["object"])
    return WrittenBoxes(source, "cxcywh", images, rows, classes, fractions=True)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise BadInputError(f"YOLO labels {str(path)!r} cannot be read: {error}") from None


def _parsed(
    words: list[str], where: str
) -> tuple[int, tuple[float, float, float, float], list[list[float]] | None]:
    try:
        number, values = int(words[0]), [float(word) for word in words[1:]]
    except ValueError:
        raise BadInputError(f"{where}: expected a class number and coordinates") from None
    if number < 0 or not (len(values) in (4, 5) or (len(values) >= 6 and len(values) % 2 == 0)):
        raise BadInputError(
            f"{where}: {len(values)} numbers after the class; a box has 4, a polygon an even number of "
            "at least 6"
        )
    if len(values) <= 5:
        return number, (values[0], values[1], values[2], values[3]), None
    x, y = values[::2], values[1::2]
    left, right, top, bottom = min(x), max(x), min(y), max(y)
    box = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
    return number, box, [values]


def _names(folder: Path) -> list[str]:
    for place in (folder, folder.parent):
        for name in _NAME_LISTS:
            if (place / name).is_file():
                classes = read_class_list(place / name)
                return [classes.names[i] for i in classes.foreground]
        for name in _YAMLS:
            if (place / name).is_file():
                return _yaml_names(place / name)
    return []


def _yaml_names(path: Path) -> list[str]:
    """Parse the entry ``names`` of such a file: a list, or a mapping from numbers to names.

    Raises:
        BadInputError: no YAML, or ``names`` of another form.
    """
    try:
        # Texts stay as they are written: a class called "no" is not False. No tag makes an object.
        content = yaml.load(path.read_text("utf-8", errors="replace"), yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise BadInputError(f"YOLO description {str(path)!r} is not valid YAML: {reason}") from None
    names = content.get("names") if isinstance(content, dict) else None
    if not names or isinstance(names, str):  # a path to a list of names elsewhere counts as none
        return []
    if isinstance(names, list):
        names = dict(enumerate(names))
    try:
        found = {int(number): name for number, name in names.items()}
    except ValueError:
        found = {-1: ""}
    if not all(0 <= k < _MOST_CLASSES and isinstance(name, str) for k, name in found.items()):
        raise BadInputError(
            f"YOLO description {str(path)!r}: 'names' must be a list, or have 'NUMBER: NAME' per class"
        )
    return [found.get(k, f"class-{k}") for k in range(max(found) + 1)]


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
    (target / "data.yaml").write_text(f"path: .\ntrain: images\nval: images\nnames:\n{names}", "utf-8")
