"""The positional input of commands that read a record file, or several as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.options import Options, option
from wsstool.types import RecordFiles

SEVERAL = "[FILE|@LIST]..."
"""Placeholder of a positional input of which there may be several."""


@dataclass(frozen=True, kw_only=True)
class SeveralFiles(Options):
    """A command whose positional ``source`` may be several files, that of all shards of one run."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", as_source(getattr(self, "source", None)))
        super().__post_init__()


@dataclass(frozen=True, kw_only=True)
class RecordInput(SeveralFiles):
    """A record file, several of one run, or a stream of records on standard input."""

    source: str | None = option(
        None,
        "input file, or the files of all shards of one run, also by @LIST, a file with one path per line; "
        "'-' or omitted: standard input",
        positional=True,
        exists=True,
        metavar=SEVERAL,
    )


def as_source(given: Any) -> Any:
    """Return one path as it is, several as ``RecordFiles``, and none as None; ``@LIST`` is read.

    Raises:
        MissingInputError: there is no such list.
        BadInputError: it cannot be read, or lists nothing.
        UsageError: standard input is one of several.
    """
    listed = [given] if isinstance(given, str | Path) else given
    if isinstance(given, RecordFiles) or not isinstance(listed, Sequence):
        return given
    paths = [path for one in listed for path in _listed(one)]
    if len(paths) > 1 and "-" in map(str, paths):
        raise UsageError("standard input cannot be one of several inputs; name files, or merge them first")
    return RecordFiles(map(str, paths)) if len(paths) > 1 else paths[0] if paths else None


def _listed(one: Any) -> list[Any]:
    if not str(one).startswith("@"):
        return [one]
    name = str(one)[1:]
    try:
        lines = Path(name).read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise MissingInputError(f"there is no list of files '{name}'") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"'{name}' cannot be read as a list of files: {error}") from None
    paths = [line for line in lines if line.strip()]
    if not paths:
        raise BadInputError(f"'{name}' lists no files")
    return paths
