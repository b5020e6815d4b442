"""Buffered sequential input that lets HDF5 seek within the bytes read so far."""

from __future__ import annotations

import io
import select
import tempfile
from typing import Any, BinaryIO

_CHUNK = 1 << 20
_MEMORY = 256 << 20  #: a repacked file on a pipe is spooled: in memory up to here, on disk above
UNKNOWN = 1 << 62


class Source(io.RawIOBase):
    """A file object for h5py over a stream: buffers the bytes that were read, returns the rest in order.

    h5py's driver ignores short reads, and no exception may pass through HDF5: a read past the end of the
    stream gives zeros and sets ``short``; an exception is stored in ``error``.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self._kept = tempfile.SpooledTemporaryFile(max_size=_MEMORY)  # noqa: SIM115 - lives as long as self
        self.length = self._position = 0
        self.total, self.short = UNKNOWN, False
        self.error: BaseException | None = None

    def _read_into(self, view: memoryview) -> int:
        """Return the number of bytes read, at least one; 0 at the end. Waits for a non-blocking stream."""
        while (count := self.stream.readinto(view)) is None:  # type: ignore[attr-defined]
            select.select([self.stream], [], [])
        return count

    def fetch(self, until: int) -> None:
        """Buffer bytes until there are ``until`` of them, or the stream ends."""
        self._kept.seek(self.length)
        buffer = memoryview(bytearray(min(_CHUNK, max(0, until - self.length))))
        while self.length < until:
            count = self._read_into(buffer[: until - self.length])
            if not count:
                self.short = True
                return
            self._kept.write(buffer[:count])
            self.length += count

    def read_at(self, start: int, count: int) -> bytes:
        """Return buffered bytes; fewer at their end."""
        self._kept.seek(start)
        return self._kept.read(count)

    def fill(self, view: memoryview, start: int) -> int:
        """Fill ``view`` from ``start`` on, in order, without buffering more; return the number of bytes."""
        done = 0
        while start + done < self.length and done < len(view):
            data = self.read_at(start + done, min(len(view) - done, _CHUNK))
            view[done : done + len(data)] = data
            done += len(data)
        while done < len(view) and (count := self._read_into(view[done:])):
            done += count
        return done

    def ended(self) -> bool:
        """Whether the stream is at its end; waits for the other side to close."""
        return not self._read_into(memoryview(bytearray(1)))

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset + (0, self._position, self.total)[whence]
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = b""
        try:
            self.fetch(min(self._position + len(view), self.total))
            data = self.read_at(self._position, len(view))
        except BaseException as error:  # KeyboardInterrupt too: Reader raises it again after HDF5
            self.error = self.error or error
        view[: len(data)] = data
        view[len(data) :] = bytes(len(view) - len(data))
        self._position += len(view)
        return len(view)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def release(self) -> None:
        """Drop the buffered bytes."""
        self._kept.close()
