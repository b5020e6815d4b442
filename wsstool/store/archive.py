"""Compressed files for the archive: chunked, gzip and shuffle, fletcher32. Every reader accepts them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import h5py
import numpy as np

from wsstool.errors import CannotWriteError
from wsstool.store.part import open_stream
from wsstool.store.reader import Reader
from wsstool.store.replace import refuse_strangers

_CHUNK_ELEMENTS = 1 << 16
_BUFFER = 1 << 20


def write_compressed(reader: Reader, output: Path | None) -> None:
    """Write what ``reader`` reads as a compressed HDF5 file, whole or not at all.

    A compressed file is written in random order, so standard output gets it from a temporary file.

    Raises:
        CannotWriteError: no space or no permission.
        UsageError: standard output is a terminal.
    """
    stream = open_stream(output)
    target = None if stream else Path(os.path.realpath(str(output)))
    if target:
        refuse_strangers(target, reader.header, str(output))
    try:
        descriptor, name = tempfile.mkstemp(".h5.part", "wsstool-", target and target.parent)
        os.close(descriptor)
        try:
            _fill(reader, name)
            if target is None:
                assert stream
                with open(name, "rb") as file:
                    while data := file.read(_BUFFER):
                        stream.write(data)
            else:
                os.chmod(name, 0o666 & ~_umask())
                os.replace(name, target)
        finally:
            Path(name).unlink(missing_ok=True)
    except BrokenPipeError:
        raise
    except (OSError, RuntimeError) as error:  # HDF5 says RuntimeError for a full disk when it closes
        why = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise CannotWriteError(f"cannot write '{output or 'standard output'}': {why}") from error
    finally:
        if stream:
            stream.close()


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
            if isinstance(value, str):
                value = np.array(value.encode(), h5py.string_dtype("utf-8", max(1, len(value.encode()))))
            file.attrs[key] = value
        for key, column in header.columns.items():
            file.create_dataset(key, data=column, track_times=False, **(packed if column.size else {}))
        total = int(header.offsets[-1])
        chunks = (min(total, _CHUNK_ELEMENTS),)
        options = {**packed, "chunks": chunks} if total else {}
        payload = file.create_dataset(header.payload, (total,), header.dtype, track_times=False, **options)
        # Whole chunks at a time: a chunk that is written in two halves is compressed twice.
        waiting, held, place = [], 0, 0
        for record in reader.records():
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
