"""Foreign formats, one per file: each reads the tags of its format as class names.

``read(path, classes) -> Tags`` returns what is written; images, splits and the consistency of names are
checked in ``wsstool.data.dataset``. Formats that use only file names take the names instead of a path.
Formats with boxes have ``read_boxes(path) -> WrittenBoxes``, validated in ``wsstool.data.boxes.table``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wsstool.types import ClassList

LAYOUTS = ("table", "npy", "voc", "coco", "labelme", "file-name", "class-folders", "images")
"""Layouts by the location of the tags; ``images`` has none."""


@dataclass(frozen=True)
class Tags:
    """Tags of the images of one source.

    Args:
        source: the file or folder, for messages.
        rows: image name in the source -> names of its classes.
        classes: the given class list, or the one implied by the source.
        only: the source lists all images of the dataset; further images in the folder are not part of it.
        partial: whole splits may be without tags.
        void: mask values of the dataset that mean "ignore".
        notes: sentences about assumptions.
    """

    source: str
    rows: Mapping[str, tuple[str, ...]]
    classes: ClassList
    only: bool = False
    partial: bool = False
    void: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class WrittenBox:
    """One box as stored in its source, unvalidated.

    Args:
        image: name in the source.
        name: of its class.
        numbers: four numbers in the order of the format, NaN for invalid ones.
        id: of the annotation; -1: none.
        crowd: it surrounds several objects at once.
        shape: run lengths, a list of them, a list of polygons, or None. With a shape the four numbers may be
            missing; the box is then its extent.
        score: confidence, 0 to 1.
    """

    image: str
    name: str
    numbers: tuple[float, float, float, float]
    id: int = -1
    crowd: bool = False
    shape: Any = None
    score: float = 1.0


@dataclass(frozen=True)
class WrittenBoxes:
    """All boxes of one source.

    Args:
        source: the file or folder, for messages.
        form: coordinate format of the boxes, one of ``wsstool.data.boxes.number_forms.FORMS``.
        images: image name in the source -> its stated (rows, columns), or None.
        rows: the boxes.
        classes: the class list implied by the source.
        fractions: coordinates, including those of polygons, are shares of the image's width and height.
        dropped: reason -> number of entries skipped by the reader.
        notes: sentences about assumptions.
        tags: image name in the source -> labels of the whole image.
        explicit: the format names its coordinates and outlines, so that no other form of the boxes is
            possible, and an outline needs no box.
    """

    source: str
    form: str
    images: Mapping[str, tuple[int, int] | None]
    rows: tuple[WrittenBox, ...]
    classes: ClassList
    fractions: bool = False
    dropped: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    explicit: bool = False
