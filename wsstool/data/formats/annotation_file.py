"""Annotation files of other programs as JSON or XML, also out of the zip that they were exported in."""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any, NoReturn
from xml.etree import ElementTree

from wsstool.errors import BadInputError, MissingInputError

_LARGEST = 4 << 30
"""Bytes that are unpacked from a zip; one of kilobytes may hold petabytes."""


def read_bytes(path: Path, source: str) -> bytes:
    """A file's content; of a zip that of the only ``.xml`` or ``.json`` in it.

    Args:
        path: the file.
        source: what messages call it.

    Raises:
        MissingInputError: there is no such file.
        BadInputError: unreadable, or a zip with none or several annotation files.
    """
    try:
        with open(path, "rb") as file:
            if file.read(4) != b"PK\x03\x04":
                file.seek(0)
                return file.read()
        with zipfile.ZipFile(path) as packed:
            found = [m for m in packed.infolist() if m.filename.lower().endswith((".xml", ".json"))]
            if len(found) != 1:
                names = ", ".join(m.filename for m in found[:3]) or "none"
                raise BadInputError(
                    f"{source} should hold one .xml or .json file, and holds {names}; unpack it"
                )
            if found[0].file_size > _LARGEST:
                raise BadInputError(f"{source} holds a file of {found[0].file_size >> 30} GiB; unpack it")
            return packed.read(found[0])
    except FileNotFoundError:
        raise MissingInputError(f"there is no {source}") from None
    except IsADirectoryError:
        raise BadInputError(f"{source} is a folder; a file is needed") from None
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, ValueError) as error:
        raise BadInputError(f"{source} cannot be read ({error})") from None


def read_json(path: Path, source: str) -> Any:
    """The value of a JSON file.

    Raises:
        MissingInputError: there is no such file.
        BadInputError: not JSON.
    """
    return as_json(read_bytes(path, source), source)


def as_json(content: bytes, source: str) -> Any:
    """The value that JSON text stands for."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{source} is not JSON ({error})") from None


def read_xml(path: Path, source: str) -> ElementTree.Element:
    """The root of an XML file.

    Raises:
        MissingInputError: there is no such file.
        BadInputError: not XML, or with declarations of its own (entities could unfold to anything).
    """
    return as_xml(read_bytes(path, source), source)


def as_xml(content: bytes, source: str) -> ElementTree.Element:
    """The root of XML text."""
    try:
        return ElementTree.fromstring(content, ElementTree.XMLParser(target=_Plain()))
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise BadInputError(f"{source} is not XML that can be read ({error})") from None


class _Plain(ElementTree.TreeBuilder):
    """Builds the tree of XML without a document type, so that there are no entities to unfold."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> NoReturn:
        raise ValueError("it declares a document type, which annotations do not need")
