"""One foreign format a file: each knows where tags are written and turns them into class names.

``read(path, classes) -> Tags`` says what is written; which pictures there are, splits, and whether the names
fit
is the business of ``wsstool.data.dataset``. The formats that look at names alone take the names instead of a
path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
    """

    source: str
    rows: Mapping[str, tuple[str, ...]]
    classes: ClassList
    only: bool = False
    partial: bool = False
    void: tuple[int, ...] = ()
