"""CVAT for images 1.1: one XML file of boxes, polygons and masks, with score and id as attributes."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from wsstool.annotation_file import read_xml
from wsstool.data.classlist import with_background
from wsstool.data.formats import WrittenBox, WrittenBoxes
from wsstool.data.geometry import rle
from wsstool.data.geometry.instances import (
    AnnotatedImage,
    Instance,
    check_shape,
    extent,
    listed_classes,
    paste,
)
from wsstool.data.palettes import class_palette
from wsstool.errors import BadInputError
from wsstool.image_size import MAX_PIXELS
from wsstool.types import ClassList

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAN = (math.nan, math.nan, math.nan, math.nan)


def read_boxes(path: Path) -> WrittenBoxes:
    """Read the objects of a CVAT file, or of the zip of a CVAT export.

    Polygons and masks are shapes, whose extent is their box; those of one label and one group (``group_id``)
    in an image are one object. Attributes ``score`` and ``id`` are read as such.

    Raises:
        MissingInputError: no such file.
        BadInputError: other XML, a video, an image or object without a required attribute.
    """
    source = f"CVAT file {str(path)!r}"
    return parse(read_xml(path, source), source)


def parse(root: Element, source: str) -> WrittenBoxes:
    """Extract the objects from the root of a CVAT file (see ``read_boxes``).

    Notes:
        Rotated boxes are skipped, since their upright extent would not be tight. So are points, lines,
        ellipses, cuboids and skeletons; ``dropped`` counts them, and the tags of whole images, which are in
        ``tags``.
    """
    if root.tag != "annotations":
        raise BadInputError(f"{source} is not a CVAT file: its root element is <{root.tag}>")
    if root.find("track") is not None:
        raise BadInputError(
            f"{source} contains video tracks; export the task from CVAT as 'CVAT for images 1.1'"
        )
    names = list(dict.fromkeys(_named(e) for e in root.iterfind("meta//labels/label/name")))
    images: dict[str, tuple[int, int] | None] = {}
    rows: list[WrittenBox] = []
    tags: dict[str, tuple[str, ...]] = {}
    dropped: Counter[str] = Counter()
    for number, element in enumerate(root.iterfind("image")):
        name = element.get("name", "")
        if not name:
            raise BadInputError(f"{source}: image {number} has no name")
        if name in images:
            raise BadInputError(f"{source} lists image {name!r} twice")
        images[name] = _size(element, f"{source}, image {name!r}")
        rows += _objects(element, name, images[name], dropped, source)
        tags[name] = tuple(t for one in element.iterfind("tag") if (t := one.get("label", "").strip()))
    known, used = set(names), {*(row.name for row in rows), *(t for some in tags.values() for t in some)}
    names += sorted(used - known)
    classes = with_background(names or ["object"])
    return WrittenBoxes(
        source, "xyxy", images, _numbered(rows), classes, dropped=dropped, tags=tags, explicit=True
    )


def _named(element: Element) -> str:
    return (element.text or "").strip()


def _size(element: Element, where: str) -> tuple[int, int]:
    rows, columns = (_whole(element, key, where) for key in ("height", "width"))
    if rows < 1 or columns < 1 or rows * columns > MAX_PIXELS:
        raise BadInputError(f"{where}: {columns} x {rows} pixels is not a valid image size")
    return rows, columns


def _objects(
    image: Element, name: str, size: tuple[int, int] | None, dropped: Counter[str], source: str
) -> list[WrittenBox]:
    assert size is not None
    found: list[WrittenBox] = []
    groups: dict[tuple[str, str], int] = {}
    for number, element in enumerate(image, 1):
        where = f"{source}, image {name!r}, object {number}"
        if element.tag not in ("box", "polygon", "mask"):
            dropped[element.tag] += 1
            continue
        if element.tag == "box" and float(_number(element, "rotation", where, "0")) % 360 != 0:
            dropped["rotated box"] += 1
            continue
        label = element.get("label", "").strip()
        if not label:
            raise BadInputError(f"{where} has no label")
        numbers: tuple[float, float, float, float] = _NAN
        shape: list[object] | None = None
        if element.tag == "box":
            x0, y0, x1, y1 = (_number(element, key, where) for key in ("xtl", "ytl", "xbr", "ybr"))
            numbers = (x0, y0, x1, y1)
        elif element.tag == "polygon":
            shape = [_polygon(element, where)]
        else:
            shape = [_mask(element, size, where)]
        key = (label, element.get("group_id", "0"))
        if shape is not None and key[1] not in ("", "0"):
            if key in groups:
                first = found[groups[key]]
                found[groups[key]] = replace(first, shape=[*first.shape, *shape])
                continue
            groups[key] = len(found)
        found.append(
            WrittenBox(name, label, numbers, _id(element), shape=shape, score=_score(element, where))
        )
    return found


def _polygon(element: Element, where: str) -> list[float]:
    """Parse ``points="x1,y1;x2,y2"`` to x1, y1, x2, y2 ..."""
    try:
        pairs = [pair.split(",") for pair in element.get("points", "").split(";")]
        corners = [(float(x), float(y)) for x, y in pairs]
    except ValueError:
        raise BadInputError(f"{where}: its points are not in the form x,y;x,y;...") from None
    if not np.isfinite(corners).all():
        raise BadInputError(f"{where} has a corner that is not a number")
    return [value for corner in corners for value in corner]


def _mask(element: Element, size: tuple[int, int], where: str) -> dict[str, object]:
    """Convert CVAT's run lengths (row by row in the window) to COCO's."""
    left, top, width, height = (_whole(element, key, where) for key in ("left", "top", "width", "height"))
    if min(left, top) < 0 or min(width, height) < 1 or left + width > size[1] or top + height > size[0]:
        raise BadInputError(
            f"{where}: a mask of {width} x {height} pixels at {left}, {top} extends beyond its image"
        )
    try:
        runs = np.array(element.get("rle", "").split(","), np.int64)
    except (ValueError, OverflowError):
        raise BadInputError(f"{where}: its run lengths are not integers") from None
    if (runs < 0).any() or (runs > width * height).any() or runs.sum() != width * height:
        raise BadInputError(f"{where}: its run lengths do not fill {width} x {height} pixels")
    whole = np.zeros(size, bool)
    piece = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(height, width)
    paste(piece, (left, top), whole)
    packed = rle.encode(whole)
    return {"size": packed["size"], "counts": rle.pack(packed["counts"])}


def _number(element: Element, key: str, where: str, default: str | None = None) -> float:
    text = element.get(key, default)
    try:
        value = float(text or "")
    except ValueError:
        raise BadInputError(f"{where}: {key}={text!r} is not a number") from None
    if not math.isfinite(value):
        raise BadInputError(f"{where}: {key}={text!r} is not a number")
    return value


def _whole(element: Element, key: str, where: str) -> int:
    value = _number(element, key, where)
    if value != int(value):
        raise BadInputError(f"{where}: {key}={element.get(key)!r} is not an integer")
    return int(value)


def _attribute(element: Element, name: str) -> str:
    return next((_named(a) for a in element.iterfind("attribute") if a.get("name") == name), "")


def _id(element: Element) -> int:
    text = _attribute(element, "id")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1


def _score(element: Element, where: str) -> float:
    text = _attribute(element, "score")
    try:
        value = float(text or 1)
    except ValueError:
        return 1.0  # an attribute filled in by hand may contain anything
    return value if 0 <= value <= 1 else 1.0


def _numbered(rows: list[WrittenBox]) -> tuple[WrittenBox, ...]:
    """Give objects without an id the numbers above the largest id."""
    following = max((row.id for row in rows), default=0)
    numbered = []
    for row in rows:
        if row.id < 0:
            following = max(following, 0) + 1
            row = replace(row, id=following)
        numbered.append(row)
    return tuple(numbered)


def write(
    images: Sequence[AnnotatedImage],
    target: Path,
    classes: ClassList,
    *,
    shape: str = "mask",
    boxes: bool = False,
) -> None:
    """Write a CVAT file for "Upload annotations"; score and id of each object are attributes.

    Args:
        images: images and objects to write.
        target: the XML file.
        classes: the labels; background is left out unless an object has that class.
        shape: ``mask``; ``polygon``: parts of one object are polygons of one group, holes are cuts; or
            ``box``: no masks.
        boxes: write the boxes too, which an upload would otherwise remove.

    Raises:
        UsageError: unknown ``shape``.
        BadInputError: a name with a control character.

    Notes:
        CVAT finds the images of a task by their names, and keeps the attributes that the label has.

    Source: CVAT's documentation of the format; written from it.
    """
    check_shape(shape, "mask", "polygon", "box")
    for name in (*classes.names, *(image.name for image in images)):
        if _NOT_XML.search(name):
            raise BadInputError(f"the name {name!r} contains a character that XML does not allow")
    palette = class_palette(classes)
    with open(target, "w", encoding="utf-8", newline="\n") as file:
        file.write(
            '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n  <meta>\n'
        )
        file.write("    <task>\n      <labels>\n")
        for i in listed_classes(images, classes):
            colour = "#{:02x}{:02x}{:02x}".format(*palette[i].tolist())
            file.write(
                f"        <label>\n          <name>{escape(classes.names[i])}</name>\n"
                f"          <color>{colour}</color>\n          <type>any</type>\n          <attributes>\n"
            )
            for name in ("score", "id"):
                file.write(
                    f"            <attribute><name>{name}</name><mutable>False</mutable>"
                    "<input_type>text</input_type><default_value></default_value><values></values></attribute>\n"
                )
            file.write("          </attributes>\n        </label>\n")
        file.write("      </labels>\n    </task>\n  </meta>\n")
        for number, image in enumerate(images):
            rows, columns = image.size
            file.write(
                f'  <image id="{number}" name={quoteattr(image.name)} width="{columns}" height="{rows}">\n'
            )
            for group, instance in enumerate(image.instances, 1):
                if boxes or shape == "box":
                    x0, y0, x1, y1 = instance.box
                    _element(file, "box", instance, f'xtl="{x0}" ytl="{y0}" xbr="{x1}" ybr="{y1}"')
                for own in _shapes(instance, shape, group) if shape != "box" else ():
                    _element(file, shape, instance, own)
            file.write("  </image>\n")
        file.write("</annotations>\n")


def _shapes(instance: Instance, shape: str, group: int) -> list[str]:
    """Return the attributes of the elements that represent an object."""
    if shape == "mask":
        inner = extent(instance.mask)
        assert inner is not None
        x0, y0, x1, y1 = inner
        counts = rle.encode(instance.mask[y0:y1, x0:x1].T)["counts"]
        left, top = instance.window[0] + x0, instance.window[1] + y0
        place = f'left="{left}" top="{top}" width="{x1 - x0}" height="{y1 - y0}"'
        return [f'rle="{", ".join(map(str, counts))}" {place}']
    parts = instance.polygons()
    grouped = f' group_id="{group}"' if len(parts) > 1 else ""
    return [f'points="{";".join(f"{x}.00,{y}.00" for x, y in part.tolist())}"{grouped}' for part in parts]


def _element(file: TextIO, tag: str, instance: Instance, own: str) -> None:
    file.write(
        f'    <{tag} label={quoteattr(instance.label)} source="auto" occluded="0" {own} z_order="0">\n'
        f'      <attribute name="score">{instance.score}</attribute>\n'
        f'      <attribute name="id">{instance.id}</attribute>\n    </{tag}>\n'
    )
