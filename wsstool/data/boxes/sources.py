"""Locate the boxes of a dataset: the named source, or the only one in its folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from wsstool.annotation_file import is_found
from wsstool.data.dataset import Dataset
from wsstool.data.formats import WrittenBoxes, coco, labelme, voc, yolo
from wsstool.data.formats.box_file import read_box_file
from wsstool.data.label_views import locate
from wsstool.errors import BadInputError, MissingInputError, UsageError


def written_boxes(dataset: Dataset, boxes: str | Path | None = None) -> WrittenBoxes:
    """Return the boxes of the named source, or of the only one in the folder, unvalidated.

    Args:
        dataset: the images.
        boxes: see ``boxes.read_boxes``.

    Raises:
        MissingInputError: no boxes, or no such file.
        UsageError: several sources of boxes.
        BadInputError: a file in another format.
    """
    root = dataset.root
    names = [dataset.classes.names[i] for i in dataset.classes.foreground]
    if boxes is not None:
        path = locate(root, boxes)
        if path is None:
            raise MissingInputError(
                f"there is no box file {str(boxes)!r} in {str(root)!r} or the current folder"
            )
        if not path.is_dir():
            return read_box_file(path)
        if next(path.glob("*.xml"), None):
            return voc.read_boxes(path)
        if folders := labelme.candidates(path):
            return labelme.read_boxes(folders, path, root)
        return _yolo(path, yolo.candidates(path), names) or yolo.read_boxes(path, names)
    alone = [p for p in [root / "boxes.json"] if is_found(p)]
    instances = sorted([*root.glob("instances*.json"), *root.glob("annotations/instances*.json")])
    found: list[tuple[str, list[Path]]] = [
        ("boxes.json", alone),
        ("instances*.json", instances),
        ("Annotations/", voc.candidates(root)),
        ("labels/", yolo.candidates(root)),
        ("LabelMe files", labelme.candidates(root)),
    ]
    found = [(name, paths) for name, paths in found if paths]
    if not found:
        raise MissingInputError(
            f"there are no boxes in {str(root)!r}: no boxes.json, instances*.json, Annotations/*.xml, "
            "labels/*.txt or LabelMe files; name a file or folder with --boxes"
        )
    if len(found) > 1:
        raise UsageError(
            f"{str(root)!r} has several sources of boxes: {', '.join(n for n, _ in found)}; name one with "
            "--boxes"
        )
    name, paths = found[0]
    if name == "Annotations/":
        return voc.read_boxes(paths[0])
    if name == "LabelMe files":
        return labelme.read_boxes(paths, root)
    if found_labels := _yolo(root, paths, names) if name == "labels/" else None:
        return found_labels
    return _joined([coco.read_boxes(path) for path in paths])


def _yolo(root: Path, folders: Sequence[Path], names: Sequence[str]) -> WrittenBoxes | None:
    """Return the boxes of ``labels/``, or of the folders of the splits; None without any."""
    if not folders:
        return None
    of_splits = root if folders[0].parent != root else None
    return yolo.read_boxes(folders[0], names, more=folders[1:], root=of_splits)


def _joined(files: Sequence[WrittenBoxes]) -> WrittenBoxes:
    """Join several files of one format, such as those of the splits."""
    first = files[0]
    for other in files[1:]:
        if other.classes.names != first.classes.names:
            raise BadInputError(
                f"{first.source} and {other.source} have different categories; name one of them with --boxes"
            )
        if twice := sorted(set(first.images) & set(other.images)):
            raise BadInputError(
                f"{first.source} and {other.source} both list {twice[0]!r}; name one of them with --boxes"
            )
        first = replace(
            first,
            images={**first.images, **other.images},
            rows=first.rows + other.rows,
            notes=first.notes + other.notes,
        )
    return first
