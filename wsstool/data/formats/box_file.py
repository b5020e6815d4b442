"""Single annotation files, recognised by their content: COCO, CVAT and Label Studio."""

from __future__ import annotations

from pathlib import Path

from wsstool.annotation_file import as_json, as_xml, read_bytes
from wsstool.data.formats import Tags, WrittenBoxes, coco, cvat, label_studio
from wsstool.errors import BadInputError
from wsstool.types import ClassList


def read_box_file(path: Path, like: Path | None = None) -> WrittenBoxes:
    """Read the boxes and shapes of a file, or of the zip that contains one.

    XML is CVAT's; a list of tasks with ``data`` is Label Studio's; other JSON is COCO's.

    Args:
        path: the file.
        like: the COCO file that defines the ids of COCO results.

    Raises:
        MissingInputError: no such file.
        BadInputError: another format, or malformed.
    """
    source = f"annotation file {str(path)!r}"
    content = read_bytes(path, source)
    start = content[:64].decode("utf-8", "replace").lstrip("\ufeff \t\r\n")[:1]
    if start == "<":
        return cvat.parse(as_xml(content, f"CVAT file {str(path)!r}"), f"CVAT file {str(path)!r}")
    if start not in ("{", "["):
        raise BadInputError(f"{source} is neither JSON (COCO, Label Studio) nor XML (CVAT)")
    data = as_json(content, source)
    first = data[0] if isinstance(data, list) and data else data
    if isinstance(first, dict) and ("data" in first or "annotation_id" in first):
        return label_studio.parse(data, f"Label Studio file {str(path)!r}")
    return coco.parse(data, f"COCO file {str(path)!r}", like)


def read_box_tags(path: Path, classes: ClassList | None = None) -> Tags:
    """Read the tags of such a file: the classes of the objects of each image, including those without a box.

    Args:
        path: the file.
        classes: the class list; default: implied by the file.
    """
    written = read_box_file(path)
    if classes is None:
        classes = written.classes
    tags: dict[str, dict[str, None]] = {image: {} for image in written.images}
    for row in written.rows:
        tags[row.image][coco.in_list(row.name, classes)] = None
    return Tags(written.source, {image: tuple(names) for image, names in tags.items()}, classes, only=True)
