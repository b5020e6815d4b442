"""Recognise the layout of a folder: every format is tried, and several that fit are an error, never a guess.

Files with tags (tables, ``cls_labels.npy``, VOC annotations, COCO instances) and tags in file names compete
with each other; folders are read as classes only if nothing else has tags. ``boxes.json`` beside a label
table does not compete with it, nor do VOC annotations that are not beside ``JPEGImages/``.
"""

from __future__ import annotations

from pathlib import Path

from wsstool.data.formats import LAYOUTS, Tags, coco, labelme, voc
from wsstool.data.formats.box_file import read_annotation_tags, read_box_tags, read_labelme_tags
from wsstool.data.formats.tags import class_folders, file_name, npy, table
from wsstool.data.label_views import LabelView, locate
from wsstool.data.pictures.tile_grid import TILE_SET
from wsstool.errors import MissingInputError, UsageError
from wsstool.types import ClassList

_READERS = {"table": table.read, "npy": npy.read, "voc": voc.read, "coco": coco.read}


def read_tags(
    root: Path,
    names: tuple[str, ...],
    view: LabelView,
    *,
    split: str | None = None,
    boxes: str | Path | None = None,
    unnamed: ClassList | None = None,
) -> tuple[str, Tags | None]:
    """Return the layout of a folder and its tags (None for images without labels).

    ``unnamed``: the classes of tags without names if there is no class list.

    Raises:
        UsageError: several layouts fit, or the requested one does not.
        MissingInputError: the named file does not exist.
        BadInputError: the tags cannot be read.
    """
    if isinstance(view.labels, Path):
        return _read_file(root, view.labels, view.classes, unnamed)
    if view.labels is not None and view.labels not in LAYOUTS:
        raise MissingInputError(
            f"there is no label file {view.labels!r} in {str(root)!r} or the current folder"
        )
    if view.labels is None and boxes is not None:
        path = locate(root, boxes)
        if path is None:
            raise MissingInputError(
                f"there is no box file {str(boxes)!r} in {str(root)!r} or the current folder"
            )
        return "boxes", read_box_tags(path, view.classes)
    return _read_layout(root, names, view, split, unnamed)


def _read_file(
    root: Path, path: Path, classes: ClassList | None, unnamed: ClassList | None
) -> tuple[str, Tags]:
    if path.is_dir():
        if folders := labelme.candidates(path):
            return "labelme", read_labelme_tags(folders, path, classes, root)
        return "voc", voc.read(path, classes)
    if path.suffix == ".npy":
        return "npy", npy.read(path, classes or unnamed)
    if path.suffix.lower() in (".json", ".xml", ".zip"):
        return read_annotation_tags(path, classes)
    return "table", table.read(path, classes)


def _read_layout(
    root: Path, names: tuple[str, ...], view: LabelView, split: str | None, unnamed: ClassList | None
) -> tuple[str, Tags | None]:
    wanted, classes = view.labels, view.classes
    stated: list[tuple[str, Path | None]] = []
    if wanted in (None, "table"):
        stated += [("table", path) for path in table.candidates(root)]
    has_table = bool(stated)
    if wanted in (None, "npy"):
        stated += [("npy", path) for path in npy.candidates(root)]
    if wanted == "voc" or (wanted is None and (root / "JPEGImages").is_dir()):
        stated += [("voc", path) for path in voc.candidates(root)]
    if wanted in (None, "coco"):
        found = coco.candidates(root, split)
        stated += [("coco", path) for path in found if not (has_table and path.name == "boxes.json")]
    if wanted in (None, "file-name") and file_name.recognises(names):
        stated.append(("file-name", None))
    if wanted is None and not stated:  # boxes beside other images
        stated += [("voc", path) for path in voc.candidates(root)]
    is_labelme = wanted == "labelme" or (wanted is None and not stated)
    if is_labelme and (folders := labelme.candidates(root)):
        return "labelme", read_labelme_tags(folders, root, classes)
    if len(stated) > 1:
        spelled = ", ".join(f"{name} ({path.name})" if path else name for name, path in stated)
        raise UsageError(
            f"{str(root)!r} fits several layouts: {spelled}; name a file or a layout with --labels"
        )
    if stated:
        layout, path = stated[0]
        if path is None:
            return layout, file_name.read(names, classes or unnamed)
        return layout, _READERS[layout](path, classes or unnamed if layout == "npy" else classes)
    has_slides = wanted is None and (root / TILE_SET).is_file()  # a folder per slide, not per class
    if wanted in (None, "class-folders") and not has_slides and class_folders.recognises(names):
        return "class-folders", class_folders.read(names, classes)
    if wanted not in (None, "images"):
        raise UsageError(f"{str(root)!r} does not have the layout '{wanted}'")
    return "images", None
