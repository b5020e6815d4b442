"""Records by number, for training workers: a memory map of the payload, opened in each process.

HDF5 handles break in forked loader workers; a memory map does not, and it skips h5py's global lock.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from wsstool.atomic import temporary_folder
from wsstool.errors import BadInputError, MissingInputError
from wsstool.store.header import Header
from wsstool.store.input.opening import open_records
from wsstool.store.input.parts import Parts
from wsstool.store.input.record import Record
from wsstool.store.output.copy import copy
from wsstool.store.schema import COMMON_TAIL, KINDS
from wsstool.types import RecordFiles


class RandomAccess:
    """A record file with ``[i] -> Record`` and ``len``; picklable and fork-safe.

    ``header`` and ``tail`` are read and the checksum is verified at once. The data of a record is a read-only
    view of the file.
    """

    def __init__(self, path: Path, start: int, header: Header, tail: dict[str, np.ndarray]) -> None:
        self.path, self.header, self.tail = path, header, tail
        self._start, self._stamp = start, _stamp(path)
        self._map: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.header)

    def __getitem__(self, i: int) -> Record:
        """Return record ``i``, counted from 0.

        Raises:
            IndexError: no such record.
            BadInputError: the file was replaced; MissingInputError: it was removed.
        """
        if not 0 <= i < len(self):
            raise IndexError(i)
        if self._map is None:
            self._map = self._open()
        first, end = self.header.offsets[i : i + 2].tolist()
        return Record.at(self.header, int(i), self._map[first:end])

    def _open(self) -> np.ndarray:
        count = int(self.header.offsets[-1])
        if _stamp(self.path) != self._stamp:
            raise BadInputError(f"'{self.path}' was replaced while it was in use; start again")
        if not count:
            return np.empty(0, self.header.dtype)
        return np.asarray(np.memmap(self.path, self.header.dtype, "r", self._start, (count,)))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_map": None}


class SeveralAccess(RandomAccess):
    """The records of several files in the order that ``merge`` would give them; picklable and fork-safe.

    Args:
        found: the files, in any order.
        names: as typed.

    Raises:
        BadInputError: see ``Parts``.
    """

    def __init__(self, found: Sequence[RandomAccess], names: Sequence[str]) -> None:
        pairs = sorted(zip(found, names, strict=True), key=lambda pair: pair[0].header.images[:1])
        self._found = [one for one, _ in pairs]
        parts = Parts([one.header for one in self._found], [name for _, name in pairs])
        self._part, self._record = parts.part, parts.record
        self.path, self.header = self._found[0].path, parts.header
        columns = {**KINDS[self.header.payload].tail, **COMMON_TAIL}
        self.tail = {
            name: parts.gather(index, [one.tail[name] for one in self._found])
            for name, (_, index, _) in columns.items()
        }

    def __getitem__(self, i: int) -> Record:
        if not 0 <= i < len(self):
            raise IndexError(i)
        data = self._found[self._part[i]][int(self._record[i])].data
        return Record.at(self.header, int(i), data.reshape(-1))

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__)


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        status = os.stat(path)
    except OSError as error:
        raise MissingInputError(f"cannot read '{path}': {error.strerror}") from error
    return status.st_ino, status.st_size, status.st_mtime_ns


def open_random(
    source: object = None, *, kinds: tuple[str, ...] = (), command: str = "", sentences: bool = False
) -> RandomAccess:
    """Open a record file for reading in any order. A pipe or a repacked file is spooled first.

    The spooled copy is removed when the process that made it no longer needs it; workers only map it.

    Raises:
        BadInputError: as in ``open_records``; the whole file is checked.
    """
    if isinstance(source, RecordFiles):
        parts = [open_random(one, kinds=kinds, command=command, sentences=sentences) for one in source.paths]
        return SeveralAccess(parts, source.paths)
    with open_records(source, kinds=kinds, command=command, sentences=sentences) as reader:
        if reader.streamed and source is not None and str(source) != "-" and Path(str(source)).is_file():
            path = Path(str(source)).absolute()
            found = RandomAccess(path, reader.payload_start, reader.header, reader.tail)
            for _ in reader.records():  # checks each of them
                pass
            return found
        stack = ExitStack()
        folder = stack.enter_context(temporary_folder())
        try:
            path = folder / "records.h5"
            copy(reader, path)
            with open_records(path) as spooled:
                spooled.drain()
                found = RandomAccess(path, spooled.payload_start, spooled.header, spooled.tail)
        except BaseException:
            stack.close()
            raise
        weakref.finalize(found, stack.close)
        return found
