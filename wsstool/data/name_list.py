"""A list of image names that takes the place of a walk of the data folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from wsstool.annotation_file import regular
from wsstool.data.listing import check_unique, has_no_other_use, is_image_name
from wsstool.errors import BadInputError, MissingInputError, UsageError


@dataclass(frozen=True)
class NameList:
    """Names of images, as a file lists them.

    Attributes:
        source: the file, for messages.
        names: posix paths relative to the data folder, sorted by code point, unique also without suffix.
        lines: name -> number of its line, from 1.
    """

    source: str
    names: tuple[str, ...]
    lines: Mapping[str, int]

    def check_there(self, root: Path, names: Sequence[str]) -> None:
        """Check that images are in the data folder; one file system call for each.

        Args:
            root: the data folder.
            names: some of ``self.names``.

        Raises:
            MissingInputError: one is not there; the message has its line.
        """
        base = os.fspath(root)
        for name in names:
            if not os.path.isfile(os.path.join(base, name)):
                raise MissingInputError(
                    f"line {self.lines[name]} of {self.source} names {name!r}, but there is no such image in "
                    f"{str(root)!r}"
                )

    def with_siblings(self, root: Path) -> tuple[str, ...]:
        """Return the names, and one image of every folder beside theirs: whoever names a few images of a
        folder per class still has all its classes."""
        above = {PurePosixPath(folder).parent for folder in {n.rpartition("/")[0] for n in self.names} - {""}}
        known = {name.rpartition("/")[0] for name in self.names}
        others = []
        for folder in sorted(above):
            for beside in _folders(root / folder):
                relative = (folder / beside.name).as_posix()
                if relative not in known and (first := _first_image(beside)):
                    others.append(f"{relative}/{first}")
        return (*self.names, *others)


def read_name_list(path: str | Path) -> NameList:
    """Read a list of image names, one per line; empty lines are skipped.

    Args:
        path: the file, in UTF-8; ``-``: standard input.

    Raises:
        UsageError: standard input is a terminal.
        MissingInputError: no such file.
        BadInputError: it cannot be read or lists nothing; a name that is absolute, leads out of the data
            folder, has no ending of an image, is listed twice, or differs from another only in the suffix.
    """
    source = "standard input" if str(path) == "-" else f"'{path}'"
    lines: dict[str, int] = {}
    for number, line in enumerate(_text(path, source).split("\n"), 1):
        spelled = line.removesuffix("\r")
        if not spelled.strip():
            continue
        parts = spelled.split("/")
        if "\0" in spelled or not parts[0] or ".." in parts:
            raise BadInputError(
                f"line {number} of {source} names {spelled!r}, which is outside the data folder"
            )
        name = "/".join(part for part in parts if part not in ("", "."))
        if not is_image_name(name):
            raise BadInputError(
                f"line {number} of {source} names {spelled!r}, which has no ending of an image"
            )
        first = lines.setdefault(name, number)
        if first != number:
            raise BadInputError(f"lines {first} and {number} of {source} name the same image, {name!r}")
    if not lines:
        raise BadInputError(f"{source} lists no images")
    names = sorted(lines)
    check_unique(names)
    return NameList(source, tuple(names), lines)


def _text(path: str | Path, source: str) -> str:
    try:
        if str(path) != "-":
            return regular(Path(path)).read_bytes().decode("utf-8-sig")
        if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
            raise UsageError("there is no list of images; name a file, or pipe one to standard input")
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except FileNotFoundError:
        raise MissingInputError(f"there is no list of images {source}") from None
    except IsADirectoryError:
        raise BadInputError(f"{source} is a folder, not a list of images") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{source} cannot be read as a list of images: {error}") from None


def _folders(above: Path) -> Iterator[Path]:
    try:
        with os.scandir(above) as entries:
            found = sorted(one.name for one in entries if has_no_other_use(one.name) and one.is_dir())
    except OSError:
        return
    yield from (above / name for name in found)


def _first_image(folder: Path) -> str | None:
    try:
        with os.scandir(folder) as entries:
            return next((one.name for one in entries if one.name[0] != "." and is_image_name(one.name)), None)
    except OSError:
        return None
