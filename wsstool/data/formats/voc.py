"""PASCAL VOC: the objects in ``Annotations/*.xml``, including difficult ones, as tags and as boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from wsstool.annotation_file import read_xml
from wsstool.data.classlist import class_list, with_background
from wsstool.data.formats import Tags, WrittenBox, WrittenBoxes
from wsstool.data.formats.other_files import called_xml
from wsstool.data.palettes import voc_palette
from wsstool.errors import BadInputError, MissingInputError
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
    """Return the annotation folder, ``Annotations/`` in any case, if it contains XML files."""
    if not root.is_dir():
        return []
    named = [p for p in sorted(root.iterdir()) if p.name.lower() == "annotations" and p.is_dir()]
    return [p for p in named if next(p.rglob("*.xml"), None)]


def read(folder: Path, classes: ClassList | None = None) -> Tags:
    """Read the tags of a folder of VOC annotations.

    Without a class list the classes are VOC's own, or the sorted names with a background if others occur.

    Raises:
        MissingInputError: no annotation in the folder.
        BadInputError: a file that is not VOC XML.
    """
    source = f"annotation folder {str(folder)!r}"
    rows = {image: _names(root) for image, root in _annotations(folder, source)}
    nameless = sum("" in names for names in rows.values())
    rows = {image: tuple(name for name in names if name) for image, names in rows.items()}
    if classes is None:
        classes = _implied({name for tags in rows.values() for name in tags})
    notes = [f"{nameless} images of {source} have objects without a name, which are left out"] * bool(
        nameless
    )
    return Tags(source, rows, classes, notes=tuple(notes))


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
    dropped: Counter[str] = Counter()
    for image, root in _annotations(folder, source):
        height, width = (_number(root, f"size/{side}") for side in ("height", "width"))
        images[image] = (int(height), int(width)) if height > 0 and width > 0 else None
        for element in root.findall("object"):
            sides = tuple(_number(element, f"bndbox/{s}") for s in ("xmin", "ymin", "xmax", "ymax"))
            if name := _name(element):
                found.append((image, name, sides))
            else:
                dropped["without a name"] += 1
    first = 0.0 if any(x0 == 0 or y0 == 0 for _, _, (x0, y0, *_) in found) else 1.0
    rows = tuple(
        WrittenBox(image, name, (x0 - first, y0 - first, x1, y1), id=number)
        for number, (image, name, (x0, y0, x1, y1)) in enumerate(found, 1)
    )
    classes = _implied({name for _, name, _ in found})
    return WrittenBoxes(source, "xyxy", images, rows, classes, dropped=dropped, explicit=True)


def _implied(names: set[str]) -> ClassList:
    return voc_classes() if names <= set(VOC_NAMES) else with_background(sorted(names))


def _annotations(folder: Path, source: str) -> Iterator[tuple[str, ElementTree.Element]]:
    """Yield the name of the image, without a suffix, and the root of every file.

    Raises:
        MissingInputError: there is none.
        BadInputError: a file that is not VOC XML.
    """
    paths = sorted(folder.rglob("*.xml"))
    if not paths:
        raise MissingInputError(f"no *.xml in {source}")
    for path in paths:
        what = f"annotation {str(path)!r}"
        root = read_xml(path, what)
        if root.tag != "annotation" or root.find("object/polygon") is not None:
            raise BadInputError(f"{what} is {called_xml(root)}, not a Pascal VOC annotation")
        yield path.relative_to(folder).with_suffix("").as_posix(), root


def _names(root: ElementTree.Element) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_name(element) for element in root.findall("object")))


def _name(element: ElementTree.Element) -> str:
    return (element.findtext("name") or "").strip()


def _number(element: ElementTree.Element, tag: str) -> float:
    try:
        return float(element.findtext(tag) or "nan")
    except ValueError:
        return float("nan")
