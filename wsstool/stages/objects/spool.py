"""Spool items to an anonymous temporary file and read them back in order."""

from __future__ import annotations

import contextlib
import pickle
import tempfile
from collections.abc import Iterator
from typing import IO, Generic, TypeVar

from wsstool.errors import CannotWriteError

T = TypeVar("T")


class Spool(Generic[T]):
    """Items in the order in which they were added; the file disappears with the process.

    >>> with Spool() as spool:
    ...     spool.add("a")
    ...     spool.add("b")
    ...     list(spool.since(1))
    ['b']
    """

    def __init__(self) -> None:
        self._places: list[int] = []
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="wsstool-")  # noqa: SIM115

    def __enter__(self) -> Spool[T]:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # what could not be written was reported before
            self._file.close()

    def add(self, item: T) -> None:
        """Append an item.

        Raises:
            CannotWriteError: no space in the folder of temporary files.
        """
        self._places.append(self._file.tell())
        try:
            pickle.dump(item, self._file, protocol=5)
            self._file.flush()
        except OSError as error:
            where = tempfile.gettempdir()
            raise CannotWriteError(f"cannot write to '{where}' (TMPDIR): {error.strerror}") from error

    def since(self, start: int) -> Iterator[T]:
        """Yield the items from number ``start`` on; nothing can be added afterwards."""
        for place in self._places[start:]:
            self._file.seek(place)
            yield pickle.load(self._file)
