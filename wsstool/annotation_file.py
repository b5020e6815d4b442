"""Files of other programs: JSON or XML, also inside the zip of an export; never a pipe or a device."""

from __future__ import annotations

import json
import os
import stat
import zipfile
import zlib
from pathlib import Path
from typing import Any, NoReturn
from xml.etree import ElementTree

from wsstool.errors import BadInputError, MissingInputError
from wsstool.memory import check_zip_budget

_STREAMS = ("/dev/fd/", "/proc/", "/dev/stdin")
"""Paths by which a shell passes an open pipe on, which has a writer."""


def regular(path: Path, *, seeks: bool = False) -> Path:
    """Return the path of a file or folder, or of a pipe that a shell opened, such as ``<(...)``.

    Args:
        path: the path.
        seeks: the reader goes back in the file, which a pipe does not allow.

    Raises:
        OSError: no such file; a pipe, a socket or a device.
    """
    mode = os.stat(path).st_mode
    is_stored = stat.S_ISREG(mode) or stat.S_ISDIR(mode)
    if seeks and not is_stored:
        raise OSError("it is a pipe or a device; write the content to a file and name that")
    if not (is_stored or str(path).startswith(_STREAMS)):
        raise OSError("it is a pipe or a device, not a file")
    return path


def is_found(path: Path) -> bool:
    """Whether a folder contains a file of a name that has a meaning there.

    Raises:
        BadInputError: a pipe, a socket, a device or a broken link has the name, which would be passed over in
            silence.
    """
    try:
        mode = os.stat(path).st_mode
    except OSError:
        if path.is_symlink():
            raise BadInputError(
                f"'{path}' is a link to a file that is not there; repair or remove it"
            ) from None
        return False
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise BadInputError(f"'{path}' is a pipe or a device, not a file; replace or remove it")
    return stat.S_ISREG(mode)


def read_bytes(path: Path, source: str) -> bytes:
    """Return the content of a file; for a zip, of the only ``.xml`` or ``.json`` in it.

    Args:
        path: the file.
        source: its name in messages.

    Raises:
        MissingInputError: no such file.
        BadInputError: unreadable, or a zip with no or several annotation files.
    """
    try:
        with open(regular(path), "rb") as file:
            start = file.read(4)
            if start != b"PK\x03\x04":
                return start + file.read()
        with zipfile.ZipFile(regular(path, seeks=True)) as packed:
            found = [m for m in packed.infolist() if m.filename.lower().endswith((".xml", ".json"))]
            if len(found) != 1:
                names = ", ".join(m.filename for m in found[:3]) or "none"
                raise BadInputError(
                    f"{source} should contain one .xml or .json file, but contains {names}; unpack it first"
                )
            check_zip_budget(path, found, source)
            return packed.read(found[0])
    except FileNotFoundError:
        raise MissingInputError(f"there is no {source}") from None
    except IsADirectoryError:
        raise BadInputError(f"{source} is a folder; a file is needed") from None
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, ValueError) as error:
        raise BadInputError(f"{source} cannot be read ({error})") from None


def read_json(path: Path, source: str) -> Any:
    """Return the value of a JSON file.

    Raises:
        MissingInputError: no such file.
        BadInputError: not JSON.
    """
    return as_json(read_bytes(path, source), source)


def as_json(content: bytes, source: str) -> Any:
    """Parse JSON text."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{source} is not JSON ({error})") from None


def read_xml(path: Path, source: str) -> ElementTree.Element:
    """Return the root of an XML file.

    Raises:
        MissingInputError: no such file.
        BadInputError: not XML, or with its own declarations (entities could expand without limit).
    """
    return as_xml(read_bytes(path, source), source)


def as_xml(content: bytes, source: str) -> ElementTree.Element:
    """Parse XML text and return its root."""
    try:
        return ElementTree.fromstring(content, ElementTree.XMLParser(target=_Plain()))
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise BadInputError(f"{source} is not valid XML ({error})") from None


class _Plain(ElementTree.TreeBuilder):
    """Builds the tree of XML without a document type, so that there are no entities to expand."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> NoReturn:
        raise ValueError("it declares a document type, which is not supported")
