"""Compressed files for the archive: chunked, gzip and shuffle, fletcher32. Every reader accepts them."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np

from wsstool.errors import CannotWriteError, UsageError
from wsstool.store.reader import Reader

_CHUNK_ELEMENTS = 1 << 16


def write_compressed(reader: Reader, output: Path | None, stdout: BinaryIO) -> None:
    """Write what ``reader`` reads as a compressed HDF5 file, whole or not at all.

    A compressed file is written in random order, so standard output gets it from a temporary file.

    Raises:
        CannotWriteError: no space or no permission.
        UsageError: standard output is a terminal.
    """
    to_stdout = output is None or str(output) == "-"
    if to_stdout and sys.stdout.isatty():
        raise UsageError("refusing to write HDF5 to a terminal; use -o FILE, > FILE or a pipe")
    folder = None if to_stdout else Path(str(output)).resolve().parent
    try:
        descriptor, name = tempfile.mkstemp(".h5.part", "wsstool-", folder)
        os.close(descriptor)
        try:
            _fill(reader, name)
            if to_stdout:
                with open(name, "rb") as file:
                    shutil.copyfileobj(file, stdout)
                stdout.flush()
            else:
                os.chmod(name, 0o666 & ~_umask())
                os.replace(name, str(output))
        finally:
            Path(name).unlink(missing_ok=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CannotWriteError(
            f"cannot write '{output or 'standard output'}': {error.strerror or error}"
        ) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _fill(reader: Reader, name: str) -> None:
    header, packed = (
        reader.header,
        {"compression": "gzip", "compression_opts": 1, "shuffle": True, "fletcher32": True},
    )
    with h5py.File(name, "w", libver=("v108", "v110")) as file:
        for key, value in header.root_attributes().items():
            file.attrs[key] = np.bytes_(value.encode()) if isinstance(value, str) else value
        for key, column in header.columns.items():
            file.create_dataset(key, data=column, track_times=False, **(packed if column.size else {}))
        total = int(header.offsets[-1])
        chunks = (min(total, _CHUNK_ELEMENTS),)
        options = {**packed, "chunks": chunks} if total else {}
        payload = file.create_dataset(header.payload, (total,), header.dtype, track_times=False, **options)
        # Whole chunks at a time: a chunk that is written in two halves is compressed twice.
        waiting, place = [], 0
        for record in reader.records():
            waiting.append(record.data.reshape(-1))
            if sum(map(len, waiting)) >= 16 * _CHUNK_ELEMENTS:
                flat = np.concatenate(waiting)
                count = len(flat) // _CHUNK_ELEMENTS * _CHUNK_ELEMENTS
                payload[place : place + count] = flat[:count]
                place, waiting = place + count, [flat[count:]]
        if total > place:
            payload[place:] = np.concatenate(waiting)
        for key, column in reader.tail.items():
            file.create_dataset(key, data=column, track_times=False)
