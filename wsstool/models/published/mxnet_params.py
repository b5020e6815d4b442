"""Read MXNet ``.params`` files without MXNet: named dense arrays, any version of the format.

A file consists of the list magic, a reserved word, the arrays, and their names. An array consists of the
magic word of its version, its shape, the device that held it, its type and its raw values; the oldest have no
magic word, their first word is the number of dimensions. All numbers are little-endian.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from wsstool.annotation_file import regular
from wsstool.errors import BadInputError, MissingInputError

LIST_MAGIC = 0x112
V1, V2, V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
"""Magic words of an array: 64-bit shapes; storage types; numpy shapes, where () is a scalar."""

DENSE = 0  #: storage type; -1 means an array that was never stored
TYPES = ("<f4", "<f8", "<f2", "u1", "<i4", "i1", "<i8", "?")
"""The element types, by number."""

MAX_DIMENSIONS = 32


class _Cursor:
    """A position in the bytes of a file that never runs past the end."""

    def __init__(self, data: bytes, path: Path) -> None:
        self.data, self.path, self.at = data, path, 0

    def damaged(self, why: str) -> BadInputError:
        return BadInputError(
            f"{self.path} is not an MXNet parameter file, or damaged: {why} at byte {self.at}"
        )

    def take(self, size: int) -> int:
        """Skip ``size`` bytes; return where they begin."""
        start = self.at
        if size > len(self.data) - start:
            raise self.damaged(f"{size} bytes announced, {len(self.data) - start} left")
        self.at += size
        return start

    def number(self, kind: str) -> int:
        """Read one integer of a ``struct`` type."""
        return struct.unpack_from("<" + kind, self.data, self.take(struct.calcsize("<" + kind)))[0]

    def count(self, least_bytes: int) -> int:
        """Read an item count, each item of at least ``least_bytes``: implausible counts are detected here."""
        count = self.number("Q")
        if count * least_bytes > len(self.data) - self.at:
            raise self.damaged(f"{count} items announced, more than the file can hold,")
        return count


def is_mxnet(path: Path | str) -> bool:
    """Whether a file begins like a list of MXNet arrays."""
    try:
        with open(regular(Path(path)), "rb") as file:
            return file.read(8) == struct.pack("<Q", LIST_MAGIC)
    except OSError:
        return False


def read_params(path: Path | str) -> dict[str, np.ndarray]:
    """Read the arrays of a ``.params`` file by name (``arg:...`` weights, ``aux:...`` running statistics).

    Returns:
        name -> array of its own type and shape, in the order of the file.

    Raises:
        MissingInputError: no such file.
        BadInputError: another format, truncated, damaged, sparse or unnamed arrays.
    """
    path = Path(path)
    try:
        cursor = _Cursor(path.read_bytes(), path)
    except OSError as error:
        raise MissingInputError(f"cannot read {path}: {error.strerror}") from error
    if cursor.number("Q") != LIST_MAGIC:
        raise cursor.damaged("wrong magic word")
    cursor.number("Q")  # reserved
    arrays = [_array(cursor) for _ in range(cursor.count(4))]
    names = [_name(cursor) for _ in range(cursor.count(8))]
    if len(names) != len(arrays) or len(set(names)) != len(names):
        raise cursor.damaged(f"{len(arrays)} arrays have {len(set(names))} names")
    if cursor.at != len(cursor.data):
        raise cursor.damaged("extra bytes after the last name")
    return dict(zip(names, arrays, strict=True))


def _array(cursor: _Cursor) -> np.ndarray:
    magic = cursor.number("I")
    if magic in (V2, V3) and (storage := cursor.number("i")) != DENSE:
        raise cursor.damaged(f"unsupported storage type {storage}")
    if magic in (V1, V2, V3):
        shape = _shape(cursor, cursor.number("i"), "q")
    else:
        shape = _shape(cursor, magic, "I")
    if not shape and magic != V3:  # an array without a shape has neither type nor values
        return np.zeros(0, np.float32)
    cursor.take(8)  # kind and number of the device
    kind = cursor.number("i")
    if not 0 <= kind < len(TYPES):
        raise cursor.damaged(f"unsupported element type {kind}")
    dtype = np.dtype(TYPES[kind])
    count = 1
    for size in shape:
        count *= size
    start = cursor.take(count * dtype.itemsize)
    return np.frombuffer(cursor.data, dtype, count, start).reshape(shape).copy()


def _shape(cursor: _Cursor, dimensions: int, kind: str) -> tuple[int, ...]:
    if not 0 <= dimensions <= MAX_DIMENSIONS:
        raise cursor.damaged(f"array of {dimensions} dimensions")
    shape = tuple(cursor.number(kind) for _ in range(dimensions))
    if any(size < 0 for size in shape):
        raise cursor.damaged(f"array of shape {shape}")
    return shape


def _name(cursor: _Cursor) -> str:
    length = cursor.number("Q")
    start = cursor.take(length)
    try:
        return cursor.data[start : start + length].decode("utf-8")
    except UnicodeDecodeError:
        raise cursor.damaged("undecodable name") from None
