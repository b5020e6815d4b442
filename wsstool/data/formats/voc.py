"""Tags of PASCAL VOC: the names of the objects in ``Annotations/*.xml``, difficult ones included."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from wsstool.data.classlist import class_list, with_background
from wsstool.data.formats import Tags
from wsstool.data.palettes import voc_palette
from wsstool.errors import BadInputError, MissingInputError
from wsstool.types import ClassList

VOC_NAMES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)  # fmt: skip


def voc_classes() -> ClassList:
    """Background and the twenty classes, in VOC's order and colours."""
    colours = [(r, g, b) for r, g, b in voc_palette(len(VOC_NAMES)).tolist()]
    return class_list(VOC_NAMES, colours)


def candidates(root: Path) -> list[Path]:
    """The annotation folder beside ``JPEGImages/``."""
    folder = root / "Annotations"
    return [folder] if folder.is_dir() and (root / "JPEGImages").is_dir() else []


def read(folder: Path, classes: ClassList | None = None) -> Tags:
    """The tags of a folder of VOC annotations.

    Without a class list the classes are VOC's own, or the sorted names with a background if others occur.

    Raises:
        MissingInputError: no annotation in the folder.
        BadInputError: a file that is not such XML.
    """
    source = f"annotation folder {str(folder)!r}"
    rows = {path.stem: _objects(path) for path in sorted(folder.glob("*.xml"))}
    if not rows:
        raise MissingInputError(f"no *.xml in {source}")
    if classes is None:
        names = {name for tags in rows.values() for name in tags}
        classes = voc_classes() if names <= set(VOC_NAMES) else with_background(sorted(names))
    return Tags(source, rows, classes)


def _objects(path: Path) -> tuple[str, ...]:
    try:
        names = [element.text for element in ElementTree.parse(path).getroot().findall("object/name")]
    except (ElementTree.ParseError, OSError, ValueError) as error:
        raise BadInputError(f"annotation {str(path)!r} cannot be read: {error}") from None
    return tuple(dict.fromkeys((name or "").strip() for name in names))
