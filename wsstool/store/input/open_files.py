"""Many files open for reading, few of them at any time: a process may hold about a thousand."""

from __future__ import annotations

import io
import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from wsstool.errors import BadInputError


class Closable(Protocol):
    def close(self) -> None: ...


Opened = TypeVar("Opened", bound=Closable)


class OpenFiles:
    """Opens files when they are used, and closes those that were used least recently.

    Args:
        most: maximum number of open files.
    """

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._open: OrderedDict[object, Any] = OrderedDict()

    def get(self, key: object, opened: Callable[[], Opened]) -> Opened:
        """Return the open file of a key, opened by ``opened`` if it is not open."""
        if key not in self._open:
            while len(self._open) >= self._most:
                self._open.popitem(last=False)[1].close()
            self._open[key] = opened()
        self._open.move_to_end(key)
        found: Opened = self._open[key]
        return found

    def close(self, key: object) -> None:
        """Close the file of a key, if it is open."""
        if key in self._open:
            self._open.pop(key).close()


class ReopenedFile(io.RawIOBase):
    """A regular file to read in order, which is open only while it is used.

    Args:
        path: the file.
        files: keeps it open.

    Raises:
        OSError: it cannot be opened.
        BadInputError: when reading: another file has taken its place.
    """

    def __init__(self, path: Path, files: OpenFiles) -> None:
        self._path, self._files, self._position = path, files, 0
        self._stamp: tuple[int, ...] = ()
        self.fileno()

    def fileno(self) -> int:
        return self._files.get(self, self._opened).fileno()

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = os.pread(self.fileno(), len(view), self._position)
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._files.close(self)
        super().close()

    def _opened(self) -> io.FileIO:
        file = io.FileIO(self._path)
        status = os.fstat(file.fileno())
        stamp = status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
        if self._stamp not in ((), stamp):
            file.close()
            raise BadInputError(f"'{self._path}' was replaced while it was in use; start again")
        self._stamp = stamp
        return file
