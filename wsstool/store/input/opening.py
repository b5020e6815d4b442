"""Open a record file by path, from standard input or a FIFO, and check that it is of the right kind."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, cast

from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.store.header import Header
from wsstool.store.input.open_files import OpenFiles, ReopenedFile
from wsstool.store.input.reader import Reader
from wsstool.store.input.several import SeveralReader
from wsstool.store.schema import KINDS
from wsstool.types import RecordFiles


def open_records(
    source: object = None,
    *,
    kinds: Sequence[str] = (),
    command: str = "",
    sentences: bool = False,
    header_only: bool = False,
    accept_changed: bool = False,
    files: OpenFiles | None = None,
) -> Reader:
    """Open a record file for one pass in order.

    Args:
        source: path, ``-`` or None (standard input); a FIFO works like standard input. ``RecordFiles`` are
            read as one, see ``SeveralReader``.
        kinds: payload kinds that the command reads; empty: any.
        command: name of the command, for messages.
        sentences: whether a command that names its kinds also reads files whose entries are sentences.
        header_only, accept_changed: see ``Reader``.
        files: keeps the file open, if it is a regular one; by default, the Reader does.
    Raises:
        UsageError: standard input is a terminal.
        MissingInputError: no such file.
        BadInputError: not a record file, damaged, truncated, or of another kind.
    """
    if isinstance(source, RecordFiles):
        return _open_several(source, kinds, command, sentences)
    stream: BinaryIO
    path = None
    if source is None or str(source) == "-":
        if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
            raise UsageError("there is no input; name a file, or pipe one to standard input")
        stream, name = sys.stdin.buffer, "standard input"
    else:
        name = f"'{source}'"
        try:
            mode = os.stat(str(source)).st_mode
            if stat.S_ISDIR(mode):
                raise BadInputError(f"{name} is a folder; {command or 'this command'} reads a file")
            path = Path(str(source)) if stat.S_ISREG(mode) else None
            if path is not None and files is not None:
                stream = cast(BinaryIO, ReopenedFile(path, files))
            else:
                stream = open(str(source), "rb")  # noqa: SIM115 - the Reader closes it
        except OSError as error:
            raise MissingInputError(f"cannot read {name}: {error.strerror}") from error
    reader = Reader(stream, name, path, header_only=header_only, accept_changed=accept_changed, files=files)
    if kinds and reader.header.payload not in kinds:
        reader.close()
        raise other_kind(name, reader.header, kinds, command)
    if kinds and not sentences and reader.header.sentences is not None:
        reader.close()
        raise BadInputError(
            f"{name} has one {reader.header.payload} per sentence; {command} reads one per "
            f"{'image' if reader.header.payload == 'mask' else 'object'}"
        )
    return reader


def _open_several(source: RecordFiles, kinds: Sequence[str], command: str, sentences: bool) -> Reader:
    files = OpenFiles()
    with ExitStack() as found:
        readers = []
        for one in source.paths:
            reader = open_records(one, kinds=kinds, command=command, sentences=sentences, files=files)
            found.callback(reader.close)
            readers.append(reader)
        several = SeveralReader(readers, source.paths)
        found.pop_all()
    return several


def other_kind(name: str, header: Header, kinds: Sequence[str], command: str) -> BadInputError:
    """Return the error of a file of a kind that a command does not read; ``name`` as it is to be shown."""
    makers = " or ".join(sorted({f"'{KINDS[kind].made_by}'" for kind in kinds}))
    return BadInputError(
        f"{name} is a {header.payload} file (from '{header.stage}'); {command} reads {' or '.join(kinds)} "
        f"files, made by {makers}"
    )
