"""Plan a header-first HDF5 file: all metadata and head columns, one flat payload, a small tail.

h5py never sees the payload. It lays the file out over a sparse, growing file object that stores only written
pages; contiguous datasets with late allocation get their address at the first write, so writing head columns,
payload and tail in that order places them in that order. The plan is verified afterwards: an HDF5 library
with another layout raises here and can never produce a bad stream.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

_PAGE = 1 << 16


class _SparseFile(io.RawIOBase):
    """A file object that stores only written pages; the rest reads as zeros."""

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}
        self._position = self._length = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset + (0, self._position, self._length)[whence]
        return self._position

    def tell(self) -> int:
        return self._position

    def truncate(self, size: int | None = None) -> int:
        self._length = self._position if size is None else size
        return self._length

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        view[:] = self.read_at(self._position, len(view))
        self._position += len(view)
        return len(view)

    def read_at(self, start: int, count: int) -> bytes:
        out = bytearray(count)
        for page in range(start // _PAGE, (start + count - 1) // _PAGE + 1 if count else 0):
            if page in self._pages:
                first, last = max(start, page * _PAGE), min(start + count, (page + 1) * _PAGE)
                out[first - start : last - start] = self._pages[page][
                    first - page * _PAGE : last - page * _PAGE
                ]
        return bytes(out)

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        start, done = self._position, 0
        while done < len(view):
            page, inside = divmod(start + done, _PAGE)
            count = min(len(view) - done, _PAGE - inside)
            self._pages.setdefault(page, bytearray(_PAGE))[inside : inside + count] = view[
                done : done + count
            ]
            done += count
        self._position += len(view)
        self._length = max(self._length, self._position)
        return len(view)

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def flush(self) -> None:
        pass


@dataclass(frozen=True)
class Layout:
    """Offsets of all parts. ``head`` is the file up to the payload, byte for byte."""

    head: bytes
    payload_bytes: int
    tail: dict[str, tuple[int, str, tuple[int, ...]]]  #: column -> (absolute offset, dtype, shape)
    size: int  #: length of the complete file; gaps between payload and tail columns are zero

    @property
    def tail_offset(self) -> int:
        return len(self.head) + self.payload_bytes

    def end(self, tail: Mapping[str, np.ndarray]) -> bytearray:
        """Return the bytes after the payload, with zeros in the place of the checksum, the last four."""
        end = bytearray(self.size - self.tail_offset)
        for name, (offset, dtype, _) in self.tail.items():
            if name != "crc32":
                data = tail[name].astype(dtype).tobytes()
                end[offset - self.tail_offset : offset - self.tail_offset + len(data)] = data
        return end


def _create_file(sparse: _SparseFile) -> h5py.File:
    creation = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    creation.set_obj_track_times(False)  # HDF5 1.x timestamps the root group otherwise
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_libver_bounds(h5py.h5f.LIBVER_V18, h5py.h5f.LIBVER_V110)
    access.set_fileobj_driver(h5py.h5fd.fileobj_driver, sparse)
    name = repr(sparse).encode()
    return h5py.File(h5py.h5f.create(name, h5py.h5f.ACC_TRUNC, creation, access))


def _create_dataset(file: h5py.File, name: str, dtype: np.dtype, shape: tuple[int, ...]) -> Any:
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_layout(h5py.h5d.CONTIGUOUS)
    creation.set_alloc_time(
        h5py.h5d.ALLOC_TIME_LATE
    )  # early allocation would put data between object headers
    creation.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    creation.set_obj_track_times(False)
    if dtype.kind == "S":
        kind = h5py.h5t.C_S1.copy()
        kind.set_size(dtype.itemsize)
        kind.set_strpad(h5py.h5t.STR_NULLPAD)
        kind.set_cset(h5py.h5t.CSET_UTF8)
    else:
        kind = h5py.h5t.py_create(dtype)
    space = h5py.h5s.create_simple(shape)
    return h5py.h5d.create(file.id, name.encode(), kind, space, creation)


def _write_one_element(dataset: Any, dtype: np.dtype) -> None:
    """Write the first element, which allocates the whole dataset."""
    rank = len(dataset.shape)
    space = dataset.get_space()
    space.select_hyperslab((0,) * rank, (1,) * rank)
    zero = np.zeros((1,) * rank, dtype)
    dataset.write(h5py.h5s.create_simple((1,) * rank), space, zero, dataset.get_type())


def plan(
    attributes: Mapping[str, Any],
    head: Mapping[str, np.ndarray],
    payload: tuple[str, str, int],
    tail: Mapping[str, tuple[str, tuple[int, ...]]],
) -> Layout:
    """Lay a file out.

    Args:
        attributes: root attributes: int or str, or values that h5py read from another file.
        head: columns known before the computation, written now.
        payload: name, dtype and number of elements of the streamed dataset.
        tail: column -> (dtype, shape), in file order; the last must be ``crc32``.

    Raises:
        RuntimeError: this HDF5 library does not lay the file out in reading order.
    """
    sparse = _SparseFile()
    with _create_file(sparse) as file:
        for name, value in attributes.items():
            if isinstance(value, str):
                kind = h5py.string_dtype("utf-8", max(1, len(value.encode())))
                file.attrs.create(name, np.array(value.encode(), kind), dtype=kind)
            else:
                file.attrs[name] = np.int64(value) if isinstance(value, int) else value
        name, dtype, count = payload
        columns = {key: _create_dataset(file, key, array.dtype, array.shape) for key, array in head.items()}
        stream = _create_dataset(file, name, np.dtype(dtype), (count,))
        ends = {key: _create_dataset(file, key, np.dtype(kind), shape) for key, (kind, shape) in tail.items()}
        file.flush()
        for key, array in head.items():
            if array.size:
                memory = columns[key].get_type()
                columns[key].write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(array), memory)
        if count:
            _write_one_element(stream, np.dtype(dtype))
        for key, dataset in ends.items():
            if dataset.get_space().get_simple_extent_npoints():
                _write_one_element(dataset, np.dtype(tail[key][0]))
        file.flush()
        payload_bytes = count * np.dtype(dtype).itemsize
        first_tail = next(d.get_offset() for d in ends.values() if d.get_offset() is not None)
        start = stream.get_offset() if count else first_tail
        heads = [(columns[k].get_offset(), columns[k].get_storage_size()) for k in columns]
        offsets = {key: dataset.get_offset() for key, dataset in ends.items()}
    size = sparse._length
    end = start + payload_bytes
    _check_order(heads, start, payload_bytes, offsets, tail, size)
    if any(sparse.read_at(end, size - end)):
        raise _unusable()  # metadata after the payload: a reader would have to wait for it
    placed = {key: (offset, *tail[key]) for key, offset in offsets.items() if offset is not None}
    return Layout(sparse.read_at(0, start), payload_bytes, placed, size)


def _unusable() -> RuntimeError:
    version = h5py.version.hdf5_version
    return RuntimeError(f"HDF5 {version} does not write files in reading order; please report this")


def _check_order(
    heads: list[tuple[int | None, int]],
    start: int,
    payload_bytes: int,
    tail_offsets: Mapping[str, int | None],
    tail: Mapping[str, tuple[str, tuple[int, ...]]],
    size: int,
) -> None:
    end = start + payload_bytes
    in_order = all(offset is None or offset + length <= start for offset, length in heads)
    for key, offset in tail_offsets.items():
        if offset is None:
            continue
        in_order &= offset >= end
        end = offset + int(np.dtype(tail[key][0]).itemsize * np.prod(tail[key][1]))
    if not in_order or end != size:
        raise _unusable()
