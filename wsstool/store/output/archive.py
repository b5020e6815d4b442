"""Compressed files for archiving: chunked, gzip and shuffle, fletcher32. Every reader accepts them."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from pathlib import Path

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
            _fill(reader, str(part))
        return
    with closing(stream), write_errors("standard output"), temporary_folder() as folder:
        packed = Path(folder, "packed.h5")
        _fill(reader, str(packed))
        with open(packed, "rb") as file:
            shutil.copyfileobj(file, stream, _BUFFER)


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
        # Whole chunks at a time: a chunk written in two parts is compressed twice.
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
