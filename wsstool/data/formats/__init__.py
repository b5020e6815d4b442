"""One foreign format a file: each knows where tags are written and turns them into class names.

``read(path, classes) -> Tags`` says what is written; which pictures there are, splits, and whether the names
fit is the business of ``wsstool.data.dataset``. The formats that look at names alone take the names instead
of a path. Those with boxes have ``read_boxes(path) -> WrittenBoxes``, judged in ``wsstool.data.boxes.table``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wsstool.types import ClassList

LAYOUTS = ("table", "npy", "voc", "coco", "file-name", "class-folders", "images")
"""How a data folder may carry its tags; ``images`` carries none."""


@dataclass(frozen=True)
class Tags:
    """What one source says about its images.

    Args:
        source: the file or folder, for messages.
        rows: image as the source spells it -> names of the classes in it.
        classes: the class list that was given, or what the source itself implies.
        only: the source lists all images of the set; further pictures in the folder are not part of it.
        partial: whole splits may go without tags.
        void: values of the set's masks that mean "takes no part".
        notes: sentences on how something was understood.
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
    """One box as its source writes it, nothing checked.

    Args:
        image: as the source spells it.
        name: of its class.
        numbers: four numbers in the order of the format, NaN for what is none.
        id: of the annotation; -1 where there is none.
        crowd: it surrounds many objects at once.
        shape: run lengths, a list of them, a list of polygons, or None. With a shape the four numbers may be
            missing; its extent then is the box.
        score: how sure who made it was, 0 to 1.
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
        form: what the four numbers are in this format, one of ``wsstool.data.boxes.number_forms.FORMS``.
        images: image as the source spells it -> (rows, columns) that it states, or None.
        rows: the boxes.
        classes: what the source itself implies.
        fractions: coordinates, those of polygons too, are shares of the image's width and height.
        dropped: what the reader left out, reason -> count.
        notes: sentences on how something was understood.
    """

    source: str
    form: str
    images: Mapping[str, tuple[int, int] | None]
    rows: tuple[WrittenBox, ...]
    classes: ClassList
    fractions: bool = False
    dropped: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
