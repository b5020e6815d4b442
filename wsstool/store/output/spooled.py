"""A large array in a temporary file, filled block by block and read back in order."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO

import numpy as np

from wsstool.errors import CannotWriteError

_PIECE = 1 << 22  #: elements that are read back at a time


class SpooledArray:
    """An array that is not in memory; the file disappears with the process.

    Args:
        shape: of the array; each element is written once.
        dtype: of the elements.

    Attributes:
        size: number of elements.
        divisor: of every element when it is read back.

    Example:
        >>> array = SpooledArray((1, 2, 4), "uint8")
        >>> array.put(np.ones((1, 2, 2), np.uint8), (0, 0, 2))
        >>> array.put(np.zeros((1, 2, 2), np.uint8), (0, 0, 0))
        >>> [piece.tolist() for piece in array.pieces()]
        [[0, 0, 1, 1, 0, 0, 1, 1]]
    """

    def __init__(self, shape: Sequence[int], dtype: str | type) -> None:
        self.shape, self.dtype = tuple(int(n) for n in shape), np.dtype(dtype)
        self.size = math.prod(self.shape)
        self.divisor: float = 1.0
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="wsstool-", buffering=0)  # noqa: SIM115

    def put(self, block: np.ndarray, first: Sequence[int]) -> None:
        """Write a block of the array that begins at the indices ``first``.

        Raises:
            CannotWriteError: no space in the folder of temporary files.
        """
        block = np.ascontiguousarray(block, self.dtype)
        if block.size == 0:
            return
        rows = block.reshape(-1, block.shape[-1])
        strides = [math.prod(self.shape[k + 1 :]) for k in range(len(self.shape))]
        start = sum(at * stride for at, stride in zip(first, strides, strict=True))
        inner = np.indices(block.shape[:-1]).reshape(len(block.shape) - 1, -1)
        places = start + np.array(strides[:-1], np.int64) @ inner
        try:
            for place, row in zip(places.tolist(), rows, strict=True):
                self._file.seek(place * self.dtype.itemsize)
                _write(self._file, row.view(np.uint8).data)
        except OSError as error:
            where = tempfile.gettempdir()
            raise CannotWriteError(f"cannot write to '{where}' (TMPDIR): {error.strerror}") from error

    def pieces(self) -> Iterator[np.ndarray]:
        """Yield the array in order, flat, some million elements at a time, divided by ``divisor``."""
        self._file.seek(0)
        left = self.size
        while left:
            piece = np.zeros(min(left, _PIECE), self.dtype)
            self._file.readinto(piece.view(np.uint8).data)  # type: ignore[attr-defined]
            left -= len(piece)
            yield piece if self.divisor == 1 else piece / self.divisor

    def close(self) -> None:
        """Remove the file."""
        self._file.close()


class Chain:
    """Several spooled arrays, one after the other."""

    def __init__(self, arrays: Sequence[SpooledArray]) -> None:
        self._arrays = arrays
        self.size = sum(one.size for one in arrays)

    def pieces(self) -> Iterator[np.ndarray]:
        """Yield the elements in order."""
        for one in self._arrays:
            yield from one.pieces()

    def close(self) -> None:
        """Remove the files."""
        for one in self._arrays:
            one.close()


def _write(file: IO[bytes], view: memoryview) -> None:
    while view:
        view = view[file.write(view) :]
