"""Compressed files for archiving: chunked, gzip and shuffle, fletcher32. Every reader accepts them."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from wsstool.atomic import atomic_file, temporary_folder, write_errors
from wsstool.store.input.reader import Reader
from wsstool.store.output.partial_file import open_stream
from wsstool.store.output.replace import check_replaceable

_CHUNK_ELEMENTS = 1 << 16
_BUFFER = 1 << 20


def write_compressed(reader: Reader, output: Path | None) -> None:
    """Write the records of ``reader`` as a compressed HDF5 file, completely or not at all.

    A compressed file is written in random order, so standard output is fed from a temporary file.

    Raises:
        CannotWriteError: no space or no permission.
        UsageError: standard output is a terminal.
    """
    stream = open_stream(output)
    if stream is None:
        target = Path(os.path.realpath(str(output)))
        check_replaceable(target, reader.header, str(output))
        with atomic_file(target) as part:
            _fill(reader, part)
        return
    with closing(stream), write_errors("standard output"), temporary_folder() as folder:
        packed = Path(folder, "packed.h5")
        _fill(reader, packed)
        with open(packed, "rb") as file:
            shutil.copyfileobj(file, stream, _BUFFER)


class _WrittenFile(io.RawIOBase):
    """A file for HDF5 to write in any order, which crashes on a full disk: errors are kept, not raised."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "r+b", buffering=0)  # noqa: SIM115 - closed by ``close``
        self.error: OSError | None = None

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def truncate(self, size: int | None = None) -> int:
        return self._kept(lambda: self._file.truncate(size))

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        got = self._kept(lambda: self._file.readinto(view))
        view[got:] = bytes(len(view) - got)
        return len(view)

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        rest = view
        while rest and (count := self._kept(partial(self._file.write, rest))):
            rest = rest[count:]
        return len(view)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self._kept(self._file.close)
        super().close()

    def _kept(self, do: Callable[[], int | None]) -> int:
        try:
            return 0 if self.error else do() or 0
        except OSError as error:
            self.error = error
            return 0


def _fill(reader: Reader, path: Path) -> None:
    file = _WrittenFile(path)
    try:
        _write(reader, file)
    except (OSError, RuntimeError):  # HDF5 may stumble over what could not be written
        if file.error is None:
            raise
    finally:
        file.close()
    if file.error is not None:
        raise file.error


def _write(reader: Reader, target: _WrittenFile) -> None:
    header, packed = (
        reader.header,
        {"compression": "gzip", "compression_opts": 1, "shuffle": True, "fletcher32": True},
    )
    with h5py.File(target, "w", libver=("v108", "v110")) as file:
        for key, value in header.root_attributes().items():
            if isinstance(value, str):
                value = np.array(value.encode(), h5py.string_dtype("utf-8", max(1, len(value.encode()))))
            file.attrs[key] = value
        for key, column in header.columns.items():
            file.create_dataset(key, data=column, track_times=False, **(packed if column.size else {}))
        total = int(header.offsets[-1])
        chunks = (min(total, _CHUNK_ELEMENTS),)
        options = {**packed, "chunks": chunks} if total else {}
        payload = file.create_dataset(header.payload, (total,), header.dtype, track_times=False, **options)
        # Whole chunks at a time: a chunk written in two parts is compressed twice.
        waiting, held, place = [], 0, 0
        for record in reader.records():
            if target.error is not None:
                return
            waiting.append(record.data.reshape(-1))
            held += record.data.size
            if held >= 16 * _CHUNK_ELEMENTS:
                flat = np.concatenate(waiting)
                count = held // _CHUNK_ELEMENTS * _CHUNK_ELEMENTS
                payload[place : place + count] = flat[:count]
                place, held, waiting = place + count, held - count, [flat[count:]]
        if total > place:
            payload[place:] = np.concatenate(waiting)
        for key, column in reader.tail.items():
            file.create_dataset(key, data=column, track_times=False)
