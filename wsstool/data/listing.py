"""List the images of a folder, and resolve their names in other files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from wsstool.data.images import SUFFIXES
from wsstool.errors import BadInputError, MissingInputError

IMAGE_FOLDERS = ("images", "img", "imgs", "JPEGImages")
"""Folders that contain the images if a dataset has other files beside them."""

_NOT_IMAGES = ("mask", "segmentation", "annotation", "splits", "imagesets", "train_pm")


def is_image_name(name: str) -> bool:
    """Whether a file name has the suffix of an image."""
    return os.path.splitext(name)[1].lower() in SUFFIXES


def without_suffix(name: str) -> str:
    """Return the name without an image suffix; other suffixes are part of the name."""
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in SUFFIXES else name


def find_images(root: Path) -> tuple[str, ...]:
    """Return the images of a data folder, posix paths relative to it, sorted by code point.

    These are the images below ``images/``, ``img/``, ``imgs/`` or ``JPEGImages/`` if there is such a folder,
    else all below the folder except hidden files and folders of masks, annotations and splits. Links to
    folders are followed; a folder that is reached twice counts once.

    Raises:
        MissingInputError: no such folder.
        BadInputError: a file instead of a folder, a file name that is not text, or two images whose names
            differ only in the suffix.
    """
    if root.is_file():
        raise BadInputError(f"{str(root)!r} is a file, and no picture; name a data folder with images")
    if not root.is_dir():
        raise MissingInputError(f"there is no folder {str(root)!r}")
    start = next((root / name for name in IMAGE_FOLDERS if (root / name).is_dir()), root)
    names: list[str] = []
    seen: set[tuple[int, int]] = set()
    for folder, folders, files in os.walk(start, followlinks=True):
        folders[:] = sorted(
            f for f in folders if not f.startswith(".") and not f.lower().startswith(_NOT_IMAGES)
        )
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:  # a cycle of links would never end
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        base = Path(folder).relative_to(root).as_posix()
        names += [
            name if base == "." else f"{base}/{name}"
            for name in files
            if is_image_name(name) and name[0] != "."
        ]
    names.sort()
    _check_unique(names)
    return tuple(names)


def folder_of(picture: Path) -> tuple[Path, tuple[str, ...]]:
    """Return the data folder of a picture and its images; outside one, the picture's folder and it alone."""
    for folder in picture.parents:
        if folder.name in IMAGE_FOLDERS:
            names = find_images(folder.parent)
            if relative_name(picture, folder.parent) in names:
                return folder.parent, names
    return picture.parent, (picture.name,)


def relative_name(picture: Path, root: Path) -> str:
    """Return the posix path of a picture relative to a folder above it; links are not followed."""
    return Path(os.path.relpath(picture, root)).as_posix()


def _check_unique(names: list[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise BadInputError(f"the file name {name!r} is not valid UTF-8; rename it") from None
        other = seen.setdefault(without_suffix(name), name)
        if other is not name:
            raise BadInputError(
                f"two images have the same name except for the suffix: {other!r} and {name!r}; masks and "
                "labels cannot distinguish them"
            )


def checked_name(name: str, source: str) -> str:
    """Return ``name`` from a label or split file, after checking that it is inside the folder.

    Raises:
        BadInputError: empty, absolute, or leading out of the folder.
    """
    path = PurePosixPath(name)
    if not name or "\0" in name:
        raise BadInputError(f"{source} has an empty image name")
    if path.is_absolute() or ".." in path.parts:
        raise BadInputError(f"{source} names {name!r}, which is outside the data folder")
    return name


class Lookup:
    """Find images by their path, path below the image folder, or bare name; suffixes are optional."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(names)
        spellings = (
            lambda n: n,
            without_suffix,
            _below_image_folder,
            lambda n: without_suffix(_below_image_folder(n)),
            lambda n: n.rpartition("/")[2],
            lambda n: without_suffix(n.rpartition("/")[2]),
        )
        self._tables: list[dict[str, int]] = []
        for spell in spellings:
            table: dict[str, int] = {}
            for i, name in enumerate(self._names):
                key = spell(name)
                table[key] = -1 if key in table else i
            self._tables.append(table)

    def find(self, name: str, source: str) -> int | None:
        """Return the index of the image that ``source`` calls ``name``, or None.

        Raises:
            BadInputError: the name leads out of the folder, or fits several images.
        """
        name = checked_name(name, source)
        key = PurePosixPath(name).as_posix()
        for table in self._tables:
            i = table.get(key)
            if i == -1:
                fitting = [
                    n for n in self._names if key in (n.rpartition("/")[2], _stem(n), _below_image_folder(n))
                ]
                raise BadInputError(
                    f"{source} names {name!r}, which matches several images: {', '.join(fitting[:3])}"
                )
            if i is not None:
                return i
        return None


def _stem(name: str) -> str:
    return without_suffix(name.rpartition("/")[2])


def _below_image_folder(name: str) -> str:
    first, _, rest = name.partition("/")
    return rest if first in IMAGE_FOLDERS and rest else name
