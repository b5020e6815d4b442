"""Records by number, for training workers: a memory map over the payload, opened in each process.

HDF5 handles break in forked loader workers; a memory map does not, and it skips h5py's global lock.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from wsstool.store.header import Header
from wsstool.store.reader import Reader, Record, open_records
from wsstool.store.writer import create
from wsstool.types import SILENT


class RandomAccess:
    """A record file with ``[i] -> Record`` and ``len``; picklable.

    ``header`` and ``tail`` are read at once, and the checksum is checked at once.
    """

    def __init__(
        self, path: Path, start: int, header: Header, tail: dict[str, np.ndarray], keep: Any = None
    ) -> None:
        self.path, self.header, self.tail = path, header, tail
        self._start, self._keep = start, keep
        self._map: np.memmap | None = None
        self._names = header.images

    def __len__(self) -> int:
        return len(self.header)

    def __getitem__(self, i: int) -> Record:
        if not 0 <= i < len(self):
            raise IndexError(i)
        header, offsets = self.header, self.header.offsets
        if self._map is None:
            count = int(offsets[-1])
            self._map = np.memmap(self.path, header.dtype, "r", self._start, (count,)) if count else None
        empty = np.empty(0, header.dtype)
        data = (
            np.asarray(self._map[int(offsets[i]) : int(offsets[i + 1])]) if self._map is not None else empty
        )
        shape = tuple(int(n) for n in header.shapes[i])
        if -1 not in shape and data.size:
            data = data.reshape(shape)
        size = header.sizes[i]
        return Record(i, self._names[i], (int(size[0]), int(size[1])), data, header)

    def __getstate__(self) -> dict[str, Any]:
        # The temporary copy of a pipe belongs to the process that made it; workers only map it.
        return {**self.__dict__, "_map": None, "_keep": None}


def open_random(source: object = None, *, kinds: tuple[str, ...] = (), command: str = "") -> RandomAccess:
    """Open a record file for reading in any order. A pipe or a re-laid file is spooled first.

    Raises:
        BadInputError: as ``open_records``; the whole file is checked.
    """
    with open_records(source, kinds=kinds, command=command) as reader:
        if reader.streamed and source is not None and str(source) != "-" and Path(str(source)).is_file():
            reader.drain()
            return RandomAccess(Path(str(source)), reader.payload_start, reader.header, reader.tail)
        folder = tempfile.TemporaryDirectory(prefix="wsstool-")
        path = Path(folder.name) / "records.h5"
        copy(reader, path)
    with open_records(path) as spooled:
        spooled.drain()
        return RandomAccess(path, spooled.payload_start, spooled.header, spooled.tail, folder)


def copy(reader: Reader, output: Path | None) -> None:
    """Write what ``reader`` reads, unchanged, in stream form. Equal input gives equal bytes in any layout."""
    with create(reader.header, output, max_failed=sys.maxsize, messages=SILENT) as writer:
        for record in reader.records(writer.start):
            writer.write(record.data)
        if not writer.done:
            writer.tail |= {
                k: v.reshape(writer.tail[k].shape) for k, v in reader.tail.items() if k in writer.tail
            }
