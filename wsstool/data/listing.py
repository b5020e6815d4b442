"""List the images of a folder, and resolve their names in other files."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath

from wsstool.data.images import SUFFIXES
from wsstool.data.names.trailing_paths import by_trailing_path, path_parts
from wsstool.errors import BadInputError, MissingInputError
from wsstool.types import SILENT, Messages

IMAGE_FOLDERS = ("images", "img", "imgs", "JPEGImages")
"""Folders that contain the images if a dataset has other files beside them."""

_NOT_IMAGES = ("mask", "segmentation", "annotation", "splits", "imagesets", "train_pm")

_BESIDE_IMAGES = {
    "txt", "csv", "tsv", "json", "jsonl", "ndjson", "xml", "yaml", "yml", "toml", "ini", "cfg", "md", "rst",
    "html", "log", "npy", "npz", "mat", "h5", "p", "pkl", "pickle", "pth", "pt", "py", "sh", "lst", "names",
    "data", "cache", "db", "zip", "gz", "tar", "part", "labels",
}  # fmt: skip
"""Endings of other files in a folder of images."""

_UNREAD_IMAGES = {
    "vms", "vmu", "czi", "vsi", "lif", "nd2", "heic", "heif",
    "avif", "jxl", "jfif", "dcm", "nii", "raw", "cr2", "cr3", "nef", "arw", "dng", "orf", "rw2", "psd", "exr",
    "hdr", "svg", "pdf", "ico", "pcx", "pbm", "mp4", "avi", "mov", "mkv", "webm",
}  # fmt: skip
"""Endings of images and films that are not read, wherever they are."""


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
    return list_images(root)[0]


def list_images(root: Path) -> tuple[tuple[str, ...], str]:
    """Return the images of a data folder, and a sentence about files beside them whose ending is not read.

    In a folder of images that is every ending but those of label files, else those of known image formats.
    Without such files the sentence is empty.

    Raises:
        MissingInputError, BadInputError: see ``find_images``.
    """
    if root.is_file():
        raise BadInputError(f"{str(root)!r} is a file, and no picture; name a data folder with images")
    if not root.is_dir():
        raise MissingInputError(f"there is no folder {str(root)!r}")
    start = _image_folder(root)
    names: list[str] = []
    unread = Counter[str]()
    for folder, files in _walk(start):
        base = folder.relative_to(root).as_posix()
        for name in files:
            if is_image_name(name):
                names.append(name if base == "." else f"{base}/{name}")
            elif (ending := _unread_ending(name, is_image_folder=start != root)) is not None:
                unread[ending] += 1
    names.sort()
    check_unique(names)
    return tuple(names), _left_out(unread)


def _unread_ending(name: str, *, is_image_folder: bool) -> str | None:
    """Return the ending of a file that is no image, if that may be missed; else None."""
    ending = os.path.splitext(name)[1].lower()[1:]
    is_beside = ending in _BESIDE_IMAGES if is_image_folder else ending not in _UNREAD_IMAGES
    if is_beside:
        return None
    return f".{ending}" if ending else "none"


def _left_out(unread: Counter[str]) -> str:
    if not unread:
        return ""
    ordered = sorted(unread, key=lambda ending: (-unread[ending], ending))
    count, endings = unread.total(), ", ".join(ordered[:6])
    what = "file with an ending" if count == 1 else "files with endings"
    return f"left out: {count} {what} that {'is' if count == 1 else 'are'} not read ({endings})"


def _image_folder(root: Path) -> Path:
    return next((root / name for name in IMAGE_FOLDERS if (root / name).is_dir()), root)


def _walk(start: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield every folder with images, and its files that are not hidden."""
    seen: set[tuple[int, int]] = set()
    for folder, folders, files in os.walk(start, followlinks=True):
        folders[:] = sorted(filter(has_no_other_use, folders))
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:  # a cycle of links would never end
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        yield Path(folder), [name for name in files if name[0] != "."]


def has_no_other_use(name: str) -> bool:
    """Whether a folder may have images: it is not hidden, nor one of masks, annotations or splits."""
    return not name.startswith(".") and not name.lower().startswith(_NOT_IMAGES)


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


def check_unique(names: list[str]) -> None:
    """Check that names can be stored, and told apart without their suffixes.

    Raises:
        BadInputError: a name that is not text, or two that differ only in the suffix.
    """
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
    if not name or "\0" in name:
        raise BadInputError(f"{source} has an empty image name")
    if is_outside(name):
        raise BadInputError(f"{source} names {name!r}, which is outside the data folder")
    return name


def unicode_forms(name: str) -> tuple[str, str]:
    """Return a name with composed and with decomposed accents, as macOS writes them to disk."""
    return unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)


def is_outside(name: str) -> bool:
    """Whether a name is absolute or leads out of the folder."""
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts


class Lookup:
    """Find images by their path, path below the image folder, or bare name; suffixes are optional.

    Where the exact name is missing, names are compared with composed accents.

    Args:
        names: of the images.
        root: the data folder, if ``names`` are only some of its images. A bare name is then not that of an
            image in a folder if there is such a file in ``root``, and of a path of another machine the whole
            name of an image must be part.
    """

    def __init__(self, names: Iterable[str], root: Path | None = None) -> None:
        self._names, self._root = tuple(names), root
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
        self._composed: Lookup | None = None
        if not all(name.isascii() for name in self._names):
            composed = [unicode_forms(name)[0] for name in self._names]
            self._composed = Lookup(composed, root) if composed != list(self._names) else None

    def find(self, name: str, source: str) -> int | None:
        """Return the index of the image that ``source`` calls ``name``, or None.

        Raises:
            BadInputError: the name leads out of the folder, or fits several images.
        """
        name = checked_name(name, source)
        key = PurePosixPath(name).as_posix()
        for k, table in enumerate(self._tables):
            i = table.get(key)
            if i is not None and k >= _BARE and self._root is not None and (self._root / key).is_file():
                return None
            if i == -1:
                fitting = [
                    n for n in self._names if key in (n.rpartition("/")[2], _stem(n), _below_image_folder(n))
                ]
                raise BadInputError(
                    f"{source} names {name!r}, which matches several images: {', '.join(fitting[:3])}"
                )
            if i is not None:
                return i
        composed = unicode_forms(name)[0]
        if self._composed is not None:
            return self._composed.find(composed, source)
        return self.find(composed, source) if composed != name else None

    def find_inside(self, names: Iterable[str], source: str) -> dict[str, int]:
        """Return the index of the image of each name that ``find`` knows; paths out of the folder are none.

        Raises:
            BadInputError: an empty name, or one that fits several images.
        """
        inside = {name: self.find(name, source) for name in names if not is_outside(name)}
        return {name: i for name, i in inside.items() if i is not None}

    def find_all(
        self,
        names: Iterable[str],
        source: str,
        *,
        taken: Collection[int] = (),
        usable: Collection[int] | None = None,
        messages: Messages = SILENT,
    ) -> dict[str, int]:
        """Return the index of the image of each name; names of no image are left out.

        Names that ``find`` does not know, such as paths of another machine, are matched by their trailing
        path or bare name where exactly one image has it.

        Args:
            names: as ``source`` writes them.
            source: for messages.
            taken, usable: see ``by_trailing_path``.
            messages: receives a warning about names that are matched in this way.

        Raises:
            BadInputError: an empty name, or one that fits several images.
        """
        names = list(names)
        found = self.find_inside(names, source)
        others = [name for name in names if name not in found]
        if self._root is not None:
            others = self._ending_in_names(others)
        far = by_trailing_path(others, self._names, {*taken, *found.values()}, usable)
        if far:
            name, i = next(iter(far.items()))
            messages.warn(
                f"{len(far)} images of {source} are matched by trailing path or bare name, such as {name!r} "
                f"with {self._names[i]!r}"
            )
        return found | far

    def _ending_in_names(self, others: Iterable[str]) -> list[str]:
        """Return the paths of another machine that end in the whole name of an image, suffix aside."""
        own = {without_suffix(name) for name in self._names}
        ends = {other: path_parts(without_suffix(other)) for other in others}
        return [
            other
            for other, parts in ends.items()
            if any("/".join(parts[k:]) in own for k in range(len(parts)))
        ]


_BARE = 4
"""The first of the tables of ``Lookup`` by bare name."""


def _stem(name: str) -> str:
    return without_suffix(name.rpartition("/")[2])


def _below_image_folder(name: str) -> str:
    first, _, rest = name.partition("/")
    return rest if first in IMAGE_FOLDERS and rest else name
