"""Recognise the format of a file with sentences, and find such a file in a data folder."""

from __future__ import annotations

import json
import mmap
from pathlib import Path

from wsstool.annotation_file import is_found, read_bytes
from wsstool.errors import MissingInputError, UsageError
from wsstool.expressions.expression import Expressions
from wsstool.registry import EXPRESSIONS

NAMES = ("referring.jsonl", "referring.json", "expressions.jsonl", "expressions.json")
"""Files with sentences in a data folder, by their default names."""

_ANNOTATIONS = ("boxes.json", "instances*.json", "annotations/instances*.json")
_FIELDS = (b'"sentences"', b'"caption"')


def read_expressions(path: str | Path) -> Expressions:
    """Read a file with sentences, or the only one of a folder.

    Raises:
        MissingInputError: no such file, or none in the folder.
        UsageError: several in the folder.
        BadInputError: a file of another form.
    """
    path = Path(path)
    if path.is_dir():
        path = only_candidate(path)
    reader = EXPRESSIONS.load(format_of(path))
    found: Expressions = reader(path)
    return found


def only_candidate(folder: Path) -> Path:
    """Return the file with sentences in a folder.

    Raises:
        MissingInputError: there is none.
        UsageError: there are several; the message names them.
    """
    found = candidates(folder)
    if not found:
        raise MissingInputError(
            f"no sentences in {str(folder)!r}: no {NAMES[0]}, refs(...).p or COCO file with sentences; "
            "--expressions names a file"
        )
    if len(found) > 1:
        spelled = ", ".join(path.relative_to(folder).as_posix() for path in found)
        raise UsageError(
            f"{str(folder)!r} has several files with sentences: {spelled}; name one with --expressions"
        )
    return found[0]


def candidates(folder: Path) -> list[Path]:
    """Return the files of a folder that hold sentences: by name, annotation files by their content."""
    named = [folder / name for name in NAMES if is_found(folder / name)]
    refs = sorted([*folder.glob("refs(*).p"), *folder.glob("refs(*).json")])
    annotations = sorted(path for pattern in _ANNOTATIONS for path in folder.glob(pattern) if is_found(path))
    return [*named, *refs, *(path for path in annotations if mentions_sentences(path))]


def format_of(path: Path) -> str:
    """Return the format of a file: REFER by its name, COCO or JSON lines by its content.

    Raises:
        MissingInputError: no such file.
        BadInputError: it cannot be read.
    """
    if path.name.startswith("refs") or path.suffix in (".p", ".pkl", ".pickle"):
        return "refer"
    content = read_bytes(path, f"sentence file {str(path)!r}")
    if not content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return "jsonl"
    try:
        whole = json.loads(content)
    except (ValueError, RecursionError):  # several lines, or damaged: the reader says where
        return "jsonl"
    return "coco" if "annotations" in whole else "jsonl"


def mentions_sentences(path: Path) -> bool:
    """Return whether a file contains a field of sentences, without parsing it."""
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return any(content.find(name) >= 0 for name in _FIELDS)
    except (OSError, ValueError):  # unreadable or empty
        return False
