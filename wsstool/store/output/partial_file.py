"""Output descriptors: an open stream, or ``FILE.part`` with its journal, locked by one process.

``FILE.part`` grows record by record and is renamed at the end. Tail values, which a complete file has only at
its end, are kept in ``FILE.part.journal`` meanwhile, so that a killed run resumes to the same bytes; so is,
after every record, the checksum of the inputs so far, since they may yet turn out to be damaged.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from wsstool.errors import BusyError, CannotWriteError, UsageError

_CHUNK = 1 << 20
_BINARY = getattr(os, "O_BINARY", 0)
_TAKEN = (errno.EWOULDBLOCK, errno.EACCES)


class Sink:
    """An open file descriptor that writes all bytes or raises.

    Args:
        descriptor: open for writing.
        name: for messages.
        owned: whether ``close`` closes the descriptor.
    """

    def __init__(self, descriptor: int, name: str, *, owned: bool = False) -> None:
        self.descriptor, self.name, self._owned = descriptor, name, owned

    def write(self, data: Any) -> None:
        """Write all of ``data``; waits if others made the descriptor non-blocking.

        Raises:
            BrokenPipeError: the reader closed the pipe.
            CannotWriteError: no space, or another system error.
        """
        view = memoryview(data).cast("B")
        try:
            while view:
                try:
                    view = view[os.write(self.descriptor, view) :]
                except BlockingIOError:
                    select.select([], [self.descriptor], [])
        except BrokenPipeError:
            raise
        except OSError as error:
            raise CannotWriteError(f"cannot write {self.name}: {error.strerror}") from error

    def close(self) -> None:
        if self._owned:
            with suppress(OSError):
                os.close(self.descriptor)


def open_stream(output: Path | str | None) -> Sink | None:
    """Return a sink for standard output, a FIFO or a device; None if ``output`` is or will be a regular file.

    Raises:
        UsageError: HDF5 would go to a terminal.
        CannotWriteError: the output is a folder, or cannot be opened.
    """
    if output is None or str(output) == "-":
        try:
            sys.stdout.flush()
            sink = Sink(sys.stdout.fileno(), "standard output")
        except (AttributeError, ValueError, OSError):
            raise CannotWriteError("standard output is closed; name an output file") from None
    else:
        try:
            mode = os.stat(output).st_mode
            if stat.S_ISREG(mode):
                return None
            if stat.S_ISDIR(mode):
                raise CannotWriteError(f"'{output}' is a folder; name a file in it")
            sink = Sink(os.open(output, os.O_WRONLY), f"'{output}'", owned=True)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CannotWriteError(f"cannot write '{output}': {error.strerror}") from error
    if os.isatty(sink.descriptor):
        sink.close()
        raise UsageError("refusing to write HDF5 to a terminal; use -o FILE, > FILE or a pipe")
    return sink


class PartFile:
    """``FILE.part`` and its journal, locked by one process.

    Args:
        target: path of the complete file.
        name: the target as typed, for messages.
    Raises:
        BusyError: another process is writing it.
        CannotWriteError: the folder is missing or not writable.
    """

    def __init__(self, target: Path, name: object = "") -> None:
        self.target, self._name = target, str(name or target)
        self.path = target.with_name(target.name + ".part")
        self.journal_path = target.with_name(target.name + ".part.journal")
        try:
            self.descriptor = self._open_locked()
            try:
                self.journal = os.open(self.journal_path, os.O_RDWR | os.O_CREAT | _BINARY, 0o666)
            except OSError:
                os.close(self.descriptor)
                raise
        except OSError as error:
            raise CannotWriteError(f"cannot write '{self._name}': {error.strerror}") from error
        self.sink = Sink(self.descriptor, f"'{self._name}'")
        self._journal_sink = Sink(self.journal, f"'{self.journal_path}'")

    def _open_locked(self) -> int:
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | _BINARY, 0o666)
            try:
                self._lock(descriptor)
                # Between our open and our lock the holder may have renamed the file to its final name.
                # We would then lock, and overwrite, a complete result.
                with suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(descriptor), os.stat(self.path)):
                        return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def _lock(self, descriptor: int) -> None:
        try:
            import fcntl
        except ImportError:  # no such lock on Windows
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _TAKEN:
                raise BusyError(f"another process is writing '{self._name}'") from None
            if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
                raise  # a file system without locks is used without them

    def note(self, entry: bytes) -> None:
        """Append one record's tail values to the journal."""
        self._journal_sink.write(entry)

    def resume(self, head: bytes, ends: np.ndarray, mark: bytes, entries: np.ndarray) -> tuple[int, bytes]:
        """Return how many records are complete already, and their journal; cut off the rest.

        Args:
            head: the header that this run would write; a different one means starting over.
            ends: (N,) end offset of each record in the file.
            mark: first bytes of the journal, which tell its form; likewise.
            entries: (N,) length of the journal after each record, without the mark.
        """
        length, journal = os.fstat(self.descriptor).st_size, os.fstat(self.journal).st_size
        done = 0
        os.lseek(self.descriptor, 0, os.SEEK_SET)
        os.lseek(self.journal, 0, os.SEEK_SET)
        if length >= len(head) and self.read(len(head)) == head and _read(self.journal, len(mark)) == mark:
            written, noted = (
                np.searchsorted(ends, length, "right"),
                np.searchsorted(entries, journal - len(mark), "right"),
            )
            done = int(min(written, noted))
        if not done:
            self.restart()
            return 0, b""
        journaled = _read(self.journal, int(entries[done - 1]))
        # Truncate the journal first, so that after a crash it never lists records that are not on disk.
        os.ftruncate(self.journal, len(mark) + len(journaled))
        os.ftruncate(self.descriptor, int(ends[done - 1]))
        os.lseek(self.descriptor, 0, os.SEEK_SET)
        return done, journaled

    def restart(self) -> None:
        """Discard what an earlier run left, and write from the start."""
        self.empty()
        for descriptor in (self.descriptor, self.journal):
            os.lseek(descriptor, 0, os.SEEK_SET)

    def read(self, count: int) -> bytes:
        """Return the next bytes of the part; fewer at its end."""
        return _read(self.descriptor, count)

    def empty(self) -> None:
        """Discard what an earlier run left."""
        os.ftruncate(self.journal, 0)
        os.ftruncate(self.descriptor, 0)

    def commit(self) -> None:
        """Sync the file to disk and rename it to its final name; the lock is held until then.

        Raises:
            CannotWriteError: it cannot be renamed, or it is another file by now.
        """
        try:
            os.fsync(self.descriptor)
            if not os.path.samestat(os.fstat(self.descriptor), os.stat(self.path)):
                raise CannotWriteError(
                    f"cannot write '{self._name}': another program replaced '{self.path}' in the meantime"
                )
            os.replace(self.path, self.target)
        except OSError as error:
            raise CannotWriteError(f"cannot write '{self._name}': {error.strerror}") from error
        with suppress(OSError):
            os.unlink(self.journal_path)
        self.close()

    def discard(self) -> None:
        """Remove all files."""
        for path in (self.path, self.journal_path):
            with suppress(OSError):
                os.unlink(path)
        self.close()

    def close(self) -> None:
        """Close and unlock; written data stays for the next run. May be called twice."""
        for descriptor in (self.descriptor, self.journal):
            if descriptor >= 0:
                os.close(descriptor)
        self.descriptor = self.journal = -1


def discard_part(target: Path, head: bytes) -> None:
    """Remove what a killed run left beside ``target``, which is complete and begins with ``head``.

    A part that another process writes, or that begins otherwise, stays.
    """
    names = [target.with_name(target.name + end) for end in (".part", ".part.journal")]
    if not any(path.exists() for path in names):
        return
    with suppress(BusyError, CannotWriteError):
        part = PartFile(target)
        if part.read(len(head)) in (b"", head):
            part.discard()
        part.close()


def _read(descriptor: int, count: int) -> bytes:
    parts = []
    while count and (data := os.read(descriptor, min(count, _CHUNK))):
        parts.append(data)
        count -= len(data)
    return b"".join(parts)
