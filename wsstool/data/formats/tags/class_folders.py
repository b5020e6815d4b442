"""Tags from folders: ``CLASS/x.jpg``, or ``train/CLASS/x.jpg`` and the like; one class per image."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from wsstool.data.classlist import with_background
from wsstool.data.formats import Tags
from wsstool.data.listing import IMAGE_FOLDERS
from wsstool.types import ClassList

_SPLIT = re.compile(r"(train|training|val|valid|validation|test|testing|unlabeled)\d*", re.IGNORECASE)


def recognises(names: Iterable[str]) -> bool:
    """Whether every image is in a class folder, of which there are two or more."""
    classes = {_class_of(name) for name in names}
    return len(classes) > 1 and None not in classes


def read(names: Iterable[str], classes: ClassList | None = None) -> Tags:
    """Return the folder of each image as its tag; images in a folder named background have none.

    Without a class list the classes are the sorted folder names, with a background added.
    """
    rows = {name: (folder,) for name in names if (folder := _class_of(name)) is not None}
    if classes is None:
        classes = with_background(sorted({tag for (tag,) in rows.values()}))
    return Tags("the folders", rows, classes)


def _class_of(name: str) -> str | None:
    """Return the only folder that is neither a split nor an image folder."""
    folders = [f for f in name.split("/")[:-1] if f not in IMAGE_FOLDERS and not _SPLIT.fullmatch(f)]
    return unicodedata.normalize("NFC", folders[0]) if len(folders) == 1 else None
