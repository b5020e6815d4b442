"""Single annotation files, recognised by their content: COCO, CVAT, Label Studio and LabelMe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from wsstool.annotation_file import as_json, as_xml, read_bytes
from wsstool.data.formats import Tags, WrittenBoxes, coco, cvat, label_studio, labelme
from wsstool.data.formats.other_files import WHAT_IS_READ, called_bytes, called_json, called_xml
from wsstool.data.formats.tags.choices import is_minimal
from wsstool.errors import BadInputError
from wsstool.types import ClassList


def read_box_file(path: Path, like: Path | None = None) -> WrittenBoxes:
    """Read the boxes and shapes of a file, or of the zip that contains one.

    XML is CVAT's; a list of tasks with ``data`` is Label Studio's; a value with ``shapes`` is LabelMe's, of
    one image; other JSON is COCO's.

    Args:
        path: the file.
        like: the COCO file that defines the ids of COCO results.

    Raises:
        MissingInputError: no such file.
        BadInputError: another format, or malformed.
    """
    source = f"annotation file {str(path)!r}"
    content = read_bytes(path, source)
    start = _start(content)
    if start == "<":
        root = as_xml(content, source)
        if root.tag != "annotations":
            more = "; name the folder of such files with --boxes" if root.tag == "annotation" else ""
            raise BadInputError(f"{source} is {called_xml(root)}, not a CVAT file{more}")
        return cvat.parse(root, f"CVAT file {str(path)!r}")
    if start not in ("{", "["):
        what = called_bytes(content)
        raise BadInputError(
            f"{source} is {what + ', ' if what else ''}neither JSON (COCO, Label Studio) nor XML (CVAT)"
        )
    data = as_json(content, source)
    if label_studio.recognises(data):
        return label_studio.parse(data, f"Label Studio file {str(path)!r}")
    if labelme.recognises(data):
        return labelme.parse(data, f"LabelMe file {str(path)!r}", path.stem)
    if what := called_json(data):
        raise BadInputError(f"{source} is {what}, which is not read; convert it to {WHAT_IS_READ}")
    return coco.parse(data, f"COCO file {str(path)!r}", like)


def read_box_tags(path: Path, classes: ClassList | None = None) -> Tags:
    """Read the tags of such a file: the classes of the objects of each image, including those without a box.

    Labels of whole images (``<tag>`` of CVAT, choices of Label Studio) are tags too.

    Args:
        path: the file.
        classes: the class list; default: implied by the file.
    """
    return _tags(read_box_file(path), classes)


def read_annotation_tags(path: Path, classes: ClassList | None = None) -> tuple[str, Tags]:
    """Read a file that is named as one of tags; return its layout too.

    COCO's tags are those of its categories, see ``coco.read``; the others as in ``read_box_tags``.

    Raises:
        MissingInputError: no such file.
        BadInputError: another format, malformed, or no label at all.
    """
    content = read_bytes(path, f"annotation file {str(path)!r}")
    if _start(content) in ("{", "[") and path.suffix.lower() != ".zip":
        data = as_json(content, f"annotation file {str(path)!r}")
        if is_minimal(data):
            return "boxes", _checked(
                label_studio.read_minimal(data, f"Label Studio file {str(path)!r}", classes)
            )
        if isinstance(data, dict) and "images" in data and "annotations" in data:
            return "coco", coco.read(path, classes)
    return "boxes", _checked(_tags(read_box_file(path), classes))


def read_labelme_tags(
    folders: Sequence[Path], root: Path, classes: ClassList | None = None, images: Path | None = None
) -> Tags:
    """Read the tags of the LabelMe files of some folders.

    Arguments as in ``labelme.read_boxes``, errors as in ``read_box_tags``.
    """
    return replace(_checked(_tags(labelme.read_boxes(folders, root, images), classes)), only=False)


def _checked(tags: Tags) -> Tags:
    if not any(tags.rows.values()):
        raise BadInputError(f"{tags.source} has no labels: neither of images nor of objects")
    return tags


def _start(content: bytes) -> str:
    """The first character."""
    return content[:64].decode("utf-8", "replace").lstrip("\ufeff \t\r\n")[:1]


def _tags(written: WrittenBoxes, classes: ClassList | None) -> Tags:
    if classes is None:
        classes = written.classes
    tags: dict[str, dict[str, None]] = {image: {} for image in written.images}
    for image, names in written.tags.items():
        tags[image] |= {coco.in_list(name, classes): None for name in names}
    for row in written.rows:
        tags[row.image][coco.in_list(row.name, classes)] = None
    rows = {image: tuple(names) for image, names in tags.items()}
    return Tags(written.source, rows, classes, only=True, notes=written.notes)
