"""PASCAL VOC: the objects in ``Annotations/*.xml``, including difficult ones, as tags and as boxes."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from wsstool.annotation_file import read_xml
from wsstool.data.classlist import class_list, with_background
from wsstool.data.formats import Tags, WrittenBox, WrittenBoxes
from wsstool.data.palettes import voc_palette
from wsstool.errors import MissingInputError
from wsstool.types import ClassList

VOC_NAMES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)  # fmt: skip


def voc_classes() -> ClassList:
    """Return the background and the twenty classes, in VOC's order and colours."""
    colours = [(r, g, b) for r, g, b in voc_palette(len(VOC_NAMES)).tolist()]
    return class_list(VOC_NAMES, colours)


def candidates(root: Path) -> list[Path]:
    """Return the annotation folder beside ``JPEGImages/``."""
    folder = root / "Annotations"
    return [folder] if folder.is_dir() and (root / "JPEGImages").is_dir() else []


def read(folder: Path, classes: ClassList | None = None) -> Tags:
    """Read the tags of a folder of VOC annotations.

    Without a class list the classes are VOC's own, or the sorted names with a background if others occur.

    Raises:
        MissingInputError: no annotation in the folder.
        BadInputError: a file that is not VOC XML.
    """
    source = f"annotation folder {str(folder)!r}"
    rows = {path.stem: _objects(path) for path in sorted(folder.glob("*.xml"))}
    if not rows:
        raise MissingInputError(f"no *.xml in {source}")
    if classes is None:
        classes = _implied({name for tags in rows.values() for name in tags})
    return Tags(source, rows, classes)


def read_boxes(folder: Path) -> WrittenBoxes:
    """Read the boxes of a folder of VOC annotations: inclusive x0, y0 and exclusive x1, y1.

    VOC counts pixels from 1 and its xmax is inclusive: 1 is subtracted from xmin and ymin. A 0 anywhere in
    the folder shows that pixels are counted from 0; then nothing is subtracted.

    Raises:
        MissingInputError: no annotation in the folder.
        BadInputError: a file that is not VOC XML.
    """
    source = f"annotation folder {str(folder)!r}"
    images: dict[str, tuple[int, int] | None] = {}
    found: list[tuple[str, str, tuple[float, ...]]] = []
    for path in sorted(folder.glob("*.xml")):
        root = read_xml(path, f"annotation {str(path)!r}")
        height, width = (_number(root, f"size/{side}") for side in ("height", "width"))
        images[path.stem] = (int(height), int(width)) if height > 0 and width > 0 else None
        for element in root.findall("object"):
            sides = tuple(_number(element, f"bndbox/{s}") for s in ("xmin", "ymin", "xmax", "ymax"))
            found.append((path.stem, (element.findtext("name") or "").strip(), sides))
    if not images:
        raise MissingInputError(f"no *.xml in {source}")
    first = 0.0 if any(x0 == 0 or y0 == 0 for _, _, (x0, y0, *_) in found) else 1.0
    rows = tuple(
        WrittenBox(image, name, (x0 - first, y0 - first, x1, y1), id=number)
        for number, (image, name, (x0, y0, x1, y1)) in enumerate(found, 1)
    )
    return WrittenBoxes(source, "xyxy", images, rows, _implied({name for _, name, _ in found}))


def _implied(names: set[str]) -> ClassList:
    return voc_classes() if names <= set(VOC_NAMES) else with_background(sorted(names))


def _objects(path: Path) -> tuple[str, ...]:
    names = [element.text for element in read_xml(path, f"annotation {str(path)!r}").findall("object/name")]
    return tuple(dict.fromkeys((name or "").strip() for name in names))


def _number(element: ElementTree.Element, tag: str) -> float:
    try:
        return float(element.findtext(tag) or "nan")
    except ValueError:
        return float("nan")
