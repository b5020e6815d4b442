"""LabelMe: a JSON file per image, with polygons, rectangles, circles and masks, as tags, boxes and masks."""

from __future__ import annotations

import base64
import io
import json
import math
import posixpath
import struct
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from wsstool.annotation_file import read_json
from wsstool.data.classlist import with_background
from wsstool.data.formats import WrittenBox, WrittenBoxes
from wsstool.data.geometry import rle
from wsstool.data.geometry.instances import paste
from wsstool.data.listing import IMAGE_FOLDERS, is_outside
from wsstool.errors import BadInputError, MissingInputError
from wsstool.image_size import MAX_PIXELS

_NAN = (math.nan, math.nan, math.nan, math.nan)
_CORNERS = 96  # of the polygon that stands for a circle
_TRIED = 3  # files of a folder that tell whether it is one of LabelMe
_HEAD = 1 << 16  # bytes in which a file of LabelMe starts its list of shapes
_OF_IMAGE = {"imagePath", "imageData", "imageHeight"}
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)  # what Pillow raises
_Numbers = tuple[float, float, float, float]
_Part = tuple[_Numbers, list[float] | dict[str, object]]


def recognises(data: Any) -> bool:
    """Whether a JSON value is a file of LabelMe."""
    return isinstance(data, dict) and "shapes" in data and bool(data.keys() & _OF_IMAGE)


def _is_damaged(data: Any) -> bool:
    """Whether a JSON value between files of LabelMe was one of them: it is empty, or has some of its keys."""
    return not data or (isinstance(data, dict) and bool(data.keys() & {"shapes", *_OF_IMAGE}))


def candidates(root: Path) -> list[Path]:
    """Return the folder itself if it has LabelMe files, else those of its folders that have some."""
    if not root.is_dir():
        return []
    if _has_some(root.glob("*.json")):
        return [root]
    folders = sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    return [p for p in folders if _has_some(p.rglob("*.json"))]


def _has_some(paths: Iterator[Path]) -> bool:
    for path in sorted(p for p in paths if p.is_file())[:_TRIED]:
        try:
            with open(path, "rb") as file:
                if b'"shapes"' not in file.read(_HEAD):  # a COCO file may be large
                    continue
            if recognises(json.loads(path.read_bytes())):
                return True
        except (OSError, ValueError, RecursionError):
            continue
    return False


def read_boxes(folders: Sequence[Path], root: Path, images: Path | None = None) -> WrittenBoxes:
    """Read the objects of all LabelMe files below some folders; other JSON files are left out.

    Args:
        folders: the folders; their files are read in the order of their paths.
        root: the folder in which they were found, see ``candidates``.
        images: the data folder, which names of images are relative to; default: ``root``. Names of images
            that are not there are relative to the folder, or to ``root`` if there are several.

    Raises:
        MissingInputError: no such file.
        BadInputError: a file that is not JSON or malformed, or two files about one image.
    """
    source = f"LabelMe folder {str(folders[0] if len(folders) == 1 else root)!r}"
    return _joined(_files(folders, root, images or root), source)


def parse(data: dict[str, Any], source: str, name: str) -> WrittenBoxes:
    """Extract the objects of one file.

    Args:
        data: the JSON value.
        source: the file, for messages.
        name: of the image, where the file does not state it.

    Raises:
        BadInputError: malformed.
    """
    return _joined(iter([(_image_path(_checked(data, source)) or name, data, source)]), source)


def _files(folders: Sequence[Path], root: Path, images: Path) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield the name of the image, the content and the name of each file."""
    found = 0
    base = folders[0] if len(folders) == 1 else root
    for folder in folders:
        for path in sorted(folder.rglob("*.json")):
            where = f"annotation file {str(path)!r}"
            data = read_json(path, where)
            if recognises(data) or _is_damaged(data):
                found += 1
                yield _image_name(_checked(data, where), path, base, images), data, where
    if not found:
        raise MissingInputError(f"no LabelMe file in {str(folders[0])!r}")


def _checked(data: Any, where: str) -> dict[str, Any]:
    if not isinstance(data, dict) or not isinstance(data.get("shapes"), list):
        raise BadInputError(f"{where} is not a file of LabelMe (it has no list of shapes)")
    return data


def _joined(files: Iterator[tuple[str, dict[str, Any], str]], source: str) -> WrittenBoxes:
    images: dict[str, tuple[int, int] | None] = {}
    tags: dict[str, tuple[str, ...]] = {}
    rows: list[WrittenBox] = []
    dropped: Counter[str] = Counter()
    for name, data, where in files:
        if name in images:
            raise BadInputError(f"{source} has two files about image {name!r}, the second being {where}")
        try:
            images[name] = _size(data, where)
            tags[name] = tuple(str(one) for one, is_set in (data.get("flags") or {}).items() if is_set)
            rows += _objects(data["shapes"], name, images[name], dropped, where, len(rows))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise BadInputError(f"{where} is not a file of LabelMe ({what})") from None
    used = {row.name for row in rows} | {name for names in tags.values() for name in names}
    classes = with_background(sorted(used) or ["object"])
    return WrittenBoxes(
        source, "xyxy", images, tuple(rows), classes, dropped=dropped, tags=tags, explicit=True
    )


def _image_path(data: dict[str, Any]) -> str:
    path = data.get("imagePath")
    return posixpath.normpath(path.replace("\\", "/")) if isinstance(path, str) and path else ""


def _image_name(data: dict[str, Any], path: Path, base: Path, images: Path) -> str:
    """Name the image of a file: where it lies in the data folder, else relative to the folder of the files.

    Args:
        data, path: the file.
        base: the folder of the files.
        images: the data folder.
    """
    stated = _image_path(data) or path.with_suffix("").name
    if posixpath.isabs(stated) or stated[1:2] == ":":  # of another machine
        return stated
    below = [
        posixpath.normpath(posixpath.join(path.parent.relative_to(folder).as_posix(), stated))
        for folder in (images, base)
        if path.is_relative_to(folder)
    ]
    inside = [name for name in (*below, stated) if not is_outside(name)]
    places = [posixpath.join(folder, name) for name in inside for folder in ("", *IMAGE_FOLDERS)]
    return next((place for place in places if (images / place).is_file()), [*inside, stated][0])


def _size(data: dict[str, Any], where: str) -> tuple[int, int] | None:
    """Rows and columns as stated; None where they are not."""
    rows, columns = data.get("imageHeight"), data.get("imageWidth")
    if rows is None or columns is None:
        return None
    size = int(rows), int(columns)
    if min(size) < 1 or size[0] * size[1] > MAX_PIXELS:
        raise BadInputError(f"{where}: {columns} x {rows} pixels is not a valid image size")
    return size


def _objects(
    shapes: Sequence[dict[str, Any]],
    name: str,
    size: tuple[int, int] | None,
    dropped: Counter[str],
    where: str,
    before: int,
) -> list[WrittenBox]:
    """Return the objects of an image; shapes of one label and one ``group_id`` are parts of one object."""
    parts: dict[object, list[_Part]] = {}
    labels: dict[object, str] = {}
    for number, shape in enumerate(shapes, 1):
        kind = str(shape.get("shape_type") or "polygon")
        label = str(shape.get("label") or "").strip()
        if kind not in _READERS and kind != _MASK:
            dropped[kind] += 1
        elif not label:
            dropped["without a label"] += 1
        elif label in ("__ignore__", "_background_"):
            dropped[f"labelled {label}"] += 1
        else:
            group = shape.get("group_id")
            key: object = (label, group) if group is not None else number
            points = np.asarray(shape["points"], np.float64).reshape(-1, 2)
            if not np.isfinite(points).all():
                raise BadInputError(f"{where}, shape {number} has a corner that is not a number")
            labels[key] = label
            at = f"{where}, shape {number}"
            part = _mask(shape, points, size, at) if kind == _MASK else _READERS[kind](points, at)
            parts.setdefault(key, []).append(part)
    return [_written(name, labels[key], found, before + k) for k, (key, found) in enumerate(parts.items(), 1)]


def _written(name: str, label: str, parts: list[_Part], number: int) -> WrittenBox:
    """One object: a single rectangle is a box, everything else a mask."""
    if len(parts) == 1 and not math.isnan(parts[0][0][0]):
        return WrittenBox(name, label, parts[0][0], number)
    return WrittenBox(name, label, _NAN, number, shape=[outline for _, outline in parts])


def _polygon(points: np.ndarray, where: str) -> _Part:
    if len(points) < 3:
        raise BadInputError(f"{where}: a polygon needs three corners, but has {len(points)}")
    return _NAN, points.reshape(-1).tolist()


def _rectangle(points: np.ndarray, where: str) -> _Part:
    """Two opposite corners, or all four."""
    if len(points) not in (2, 4):
        raise BadInputError(f"{where}: a rectangle needs two corners or four, but has {len(points)}")
    (x0, y0), (x1, y1) = points.min(0).tolist(), points.max(0).tolist()
    return (x0, y0, x1, y1), [x0, y0, x1, y0, x1, y1, x0, y1]


def _circle(points: np.ndarray, where: str) -> _Part:
    """The centre, and a point on the circle."""
    if len(points) != 2:
        raise BadInputError(f"{where}: a circle needs its centre and a point on it, but has {len(points)}")
    angles = np.arange(_CORNERS) * 2 * np.pi / _CORNERS
    radius = float(np.hypot(*(points[1] - points[0])))
    return _NAN, (points[0] + radius * np.stack([np.cos(angles), np.sin(angles)], 1)).reshape(-1).tolist()


_MASK = "mask"


def _mask(shape: dict[str, Any], points: np.ndarray, size: tuple[int, int] | None, where: str) -> _Part:
    """The pixels of a window, as a PNG in base64, and the first and the last pixel of the window."""
    if size is None:
        raise BadInputError(f"{where}: a mask needs imageHeight and imageWidth beside the shapes")
    if len(points) != 2:
        raise BadInputError(f"{where}: a mask needs two corners, but has {len(points)}")
    left, top, right, bottom = (round(v) for v in (*points.min(0).tolist(), *points.max(0).tolist()))
    columns, rows = right + 1 - left, bottom + 1 - top
    if min(left, top) < 0 or left + columns > size[1] or top + rows > size[0]:
        raise BadInputError(
            f"{where}: a mask of {columns} x {rows} pixels at {left}, {top} extends beyond its image"
        )
    try:
        data = base64.b64decode(shape["mask"], validate=True)
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if image.size != (columns, rows):  # before it is unpacked
                raise BadInputError(
                    f"{where}: a mask of {image.width} x {image.height} pixels does not fill its corners, "
                    f"which are {columns} x {rows}"
                )
            piece = np.asarray(image)
    except _DAMAGE as error:
        raise BadInputError(f"{where}: its mask is not a PNG in base64 ({error})") from None
    if piece.ndim != 2:
        raise BadInputError(f"{where}: its mask has colours")
    whole = np.zeros(size, bool)
    paste(piece != 0, (left, top), whole)
    packed = rle.encode(whole)
    return _NAN, {"size": packed["size"], "counts": rle.pack(packed["counts"])}


_READERS = {"polygon": _polygon, "rectangle": _rectangle, "circle": _circle}
