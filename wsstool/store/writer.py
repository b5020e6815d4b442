"""Write record files: streamed, resumable, complete or absent.

To a file: ``FILE.part`` grows record by record; it is renamed when its checksum is written. Tail values,
which the file holds only at its end, are journaled in ``FILE.part.journal``, so that a killed run resumes
to the same bytes.
To standard output: the same bytes.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import sys
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from wsstool.errors import (
    BadInputError,
    BusyError,
    CannotWriteError,
    SomeFailedError,
    UsageError,
    WsstoolError,
)
from wsstool.store.header import ENVIRONMENT_BYTES, Header
from wsstool.store.provenance import canonical_json, changed
from wsstool.store.reader import open_records
from wsstool.store.schema import KINDS
from wsstool.types import SILENT, Messages

_CHUNK = 1 << 20


def environment(**more: str) -> str:
    """Versions of what computes, as JSON. Recorded in the tail, never part of a key."""
    found = {"python": platform.python_version(), "numpy": np.__version__, "h5py": h5py.__version__}
    found["hdf5"] = h5py.version.hdf5_version
    for name in ("torch", "torchvision"):
        if name in sys.modules:
            found[name] = str(sys.modules[name].__version__)
    return canonical_json({**found, **more})


class _Sink:
    """An open file descriptor that takes bytes whole."""

    def __init__(self, descriptor: int, name: str) -> None:
        self.descriptor, self.name = descriptor, name

    def write(self, data: Any) -> None:
        view = memoryview(data).cast("B")
        try:
            while view:
                view = view[os.write(self.descriptor, view) :]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise CannotWriteError(f"cannot write {self.name}: {error.strerror}") from error


class PartFile:
    """``FILE.part`` and its journal, held by one process.

    Raises:
        BusyError: another process writes it.
        CannotWriteError: the folder is missing or not writable.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".part")
        self.journal_path = target.with_name(target.name + ".part.journal")
        try:
            self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            self._lock()
            self.journal = os.open(self.journal_path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise CannotWriteError(f"cannot write '{target}': {error.strerror}") from error
        self.sink = _Sink(self.descriptor, f"'{target}'")
        self._journal_sink = _Sink(self.journal, f"'{self.journal_path}'")

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # no such lock on Windows
            return
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self.descriptor)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise BusyError(f"another process is writing '{self.target}'") from None
            raise

    def note(self, entry: bytes) -> None:
        """Append one record's tail values to the journal."""
        self._journal_sink.write(entry)

    def resume(self, head: bytes, ends: np.ndarray, entries: np.ndarray) -> tuple[int, bytes]:
        """How many records are already there, and their journal.

        Args:
            head: the header this run would write; another one means to start over.
            ends: (N,) where each record's bytes end, from the start of the file.
            entries: (N,) where each record's journal entry ends.
        """
        length, journal = os.fstat(self.descriptor).st_size, os.fstat(self.journal).st_size
        done = 0
        os.lseek(self.descriptor, 0, os.SEEK_SET)
        if length >= len(head) and _read(self.descriptor, len(head)) == head:
            done = int(
                min(np.searchsorted(ends, length, "right"), np.searchsorted(entries, journal, "right"))
            )
        kept = int(entries[done - 1]) if done else 0
        os.lseek(self.journal, 0, os.SEEK_SET)
        noted = _read(self.journal, kept)
        os.ftruncate(self.journal, kept)
        os.ftruncate(self.descriptor, int(ends[done - 1]) if done else 0)
        os.lseek(self.descriptor, 0, os.SEEK_SET)
        return done, noted

    def commit(self) -> None:
        """Make it durable and give it its name."""
        try:
            os.fsync(self.descriptor)
            os.replace(self.path, self.target)
        except OSError as error:
            raise CannotWriteError(f"cannot write '{self.target}': {error.strerror}") from error
        self.close()
        with suppress(OSError):
            os.unlink(self.journal_path)

    def discard(self) -> None:
        """Leave nothing behind: the target needs no new file."""
        self.close()
        for path in (self.path, self.journal_path):
            with suppress(OSError):
                os.unlink(path)

    def close(self) -> None:
        for descriptor in (self.descriptor, self.journal):
            with suppress(OSError):
                os.close(descriptor)


def _read(descriptor: int, count: int) -> bytes:
    parts = []
    while count and (data := os.read(descriptor, min(count, _CHUNK))):
        parts.append(data)
        count -= len(data)
    return b"".join(parts)


class Writer:
    """Takes the records of a file in order. Made by ``create``; use as a context manager.

    ``start`` is the first record that has to be computed: above 0 after a killed run, ``len(header)`` when
    the output is up to date, so that a stage just loops over ``range(writer.start, len(header))``.
    """

    def __init__(
        self,
        header: Header,
        part: PartFile | None,
        stream: _Sink | None,
        max_failed: int,
        messages: Messages,
        env: str,
    ) -> None:
        self.header, self.max_failed, self.messages = header, max_failed, messages
        self.start = self._next = 0
        self.done = False
        self._part, self._stream = part, stream
        self._sinks = [sink for sink in (part.sink if part else None, stream) if sink]
        self._columns = header.tail_columns()
        self.tail = {
            k: np.zeros(shape, dtype) for k, (dtype, shape, _) in self._columns.items() if k != "crc32"
        }
        self.tail["environment"][:] = env.encode()[:ENVIRONMENT_BYTES]
        self._per_record = [k for k, (_, _, index) in self._columns.items() if index != "file"]
        self._dtype = np.dtype(header.dtype)

    def _begin(self) -> None:
        layout = self._layout = self.header.layout()
        ends = len(layout.head) + self.header.offsets[1:] * self._dtype.itemsize
        self._crc = zlib.crc32(layout.head)
        noted = b""
        if self._part:
            entry_ends = np.cumsum([sum(e.nbytes for e in self._entry(i)) for i in range(len(self.header))])
            self.start, noted = self._part.resume(layout.head, ends, entry_ends)
            self._next = self.start
        if self.start:
            self._keep(noted, int(ends[self.start - 1]))
        else:
            self._send(layout.head)

    def _entry(self, i: int) -> list[np.ndarray]:
        return [self.tail[k][self.header.rows(i, self._columns[k][2])] for k in self._per_record]

    def _keep(self, noted: bytes, length: int) -> None:
        """Take over the records of a killed run: checksum and tail values; pass them on down a pipe."""
        assert self._part
        self.messages.say(f"resuming at record {self.start + 1} of {len(self.header)}")
        self._crc, left = 0, length
        while left:
            data = _read(self._part.descriptor, min(left, _CHUNK))
            self._crc = zlib.crc32(data, self._crc)
            if self._stream:
                self._stream.write(data)
            left -= len(data)
        place = 0
        for i in range(self.start):
            for values in self._entry(i):
                values[...] = np.frombuffer(noted, values.dtype, values.size, place).reshape(values.shape)
                place += values.nbytes
        os.lseek(self._part.journal, 0, os.SEEK_END)

    def _send(self, data: Any) -> None:
        for sink in self._sinks:
            sink.write(data)

    def write(self, data: np.ndarray, **tail: Any) -> None:
        """Append the next record and its tail values (``score=...``).

        Raises:
            ValueError: the record has another number of elements than the header planned.
        """
        self._append(data, 1, tail)

    def fail(self, reason: str) -> None:
        """Append the next record as failed, and say why."""
        i = self._next
        self.messages.warn(f"{self.header.images[i]}: {reason}")
        count = int(self.header.offsets[i + 1] - self.header.offsets[i])
        filler = KINDS[self.header.payload].failed
        self._append(np.full(count, 0 if filler is None else filler, self._dtype), 2, {})

    def _append(self, data: np.ndarray, status: int, tail: dict[str, Any]) -> None:
        i = self._next
        flat = np.ascontiguousarray(data, self._dtype).reshape(-1)
        count = int(self.header.offsets[i + 1] - self.header.offsets[i])
        if len(flat) != count:
            raise ValueError(f"record {i} has {len(flat)} elements, planned were {count}")
        self.tail["status"][i] = status
        for name, value in tail.items():
            self.tail[name][self.header.rows(i, self._columns[name][2])] = value
        if flat.size:
            view = flat.view(np.uint8).data
            self._crc = zlib.crc32(view, self._crc)
            self._send(view)
        if self._part:
            self._part.note(b"".join(values.tobytes() for values in self._entry(i)))
        self._next = i + 1

    @property
    def failed(self) -> list[str]:
        """Names of the images that failed so far, in order."""
        return [self.header.images[i] for i in np.flatnonzero(self.tail["status"] == 2)]

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is not None:
            if self._part:
                self._part.close()
            return
        if not self.done:
            if self._next != len(self.header):
                raise RuntimeError(f"{self._next} of {len(self.header)} records were written")
            self._finish()
        failed = self.failed
        if len(failed) > self.max_failed:
            more = f" and {len(failed) - 5} more" if len(failed) > 5 else ""
            raise SomeFailedError(
                f"{len(failed)} of {len(self.header)} images failed: {', '.join(failed[:5])}{more}"
            )

    def _finish(self) -> None:
        layout = self._layout
        end = bytearray(layout.size - layout.tail_offset)
        end[: len(layout.gap)] = layout.gap
        for name, (offset, dtype, _) in layout.tail.items():
            if name != "crc32":
                data = self.tail[name].astype(dtype).tobytes()
                end[offset - layout.tail_offset : offset - layout.tail_offset + len(data)] = data
        end[-4:] = zlib.crc32(end[:-4], self._crc).to_bytes(4, "little")
        self._send(end)
        if self._part:
            self._part.commit()


def create(
    header: Header,
    output: Path | str | None = None,
    *,
    force: bool = False,
    max_failed: int = 0,
    messages: Messages = SILENT,
    env: str | None = None,
) -> Writer:
    """Start, resume or skip the writing of a record file.

    Args:
        header: what the file will be.
        output: target path; None or ``-``: standard output.
        force: compute again although the target is up to date, and do not resume.
        max_failed: records that may fail before leaving raises SomeFailedError (the file is complete then).
    Raises:
        UsageError: standard output is a terminal.
        BusyError, CannotWriteError: the output is taken, or not writable.
    """
    env = environment() if env is None else env
    if output is None or str(output) == "-":
        return _to_stdout(header, max_failed, messages, env, force)
    target = Path(output)
    if target.is_dir():
        raise CannotWriteError(f"'{target}' is a folder; -o needs a file")
    part = PartFile(target)
    try:
        writer = Writer(header, part, None, max_failed, messages, env)
        if target.exists() and not force and _is_current(target, header, writer, messages):
            part.discard()
            writer.start, writer.done = len(header), True
            os.utime(target)
            return writer
        if force:
            os.ftruncate(part.descriptor, 0)
        writer._begin()
    except BaseException:
        part.close()
        raise
    return writer


def _to_stdout(header: Header, max_failed: int, messages: Messages, env: str, force: bool) -> Writer:
    from wsstool.store import cache

    if sys.stdout.isatty():
        raise UsageError("refusing to write HDF5 to a terminal; use -o FILE, > FILE or a pipe")
    sys.stdout.flush()
    stream = _Sink(sys.stdout.fileno(), "standard output")
    part = None
    folder = cache.folder()
    if folder is not None:
        entry = cache.entry(folder, header.key)
        with suppress(BusyError):  # another run fills this entry: just compute
            part = PartFile(entry)
    writer = Writer(header, part, stream, max_failed, messages, env)
    if part and part.target.exists() and not force and _is_current(part.target, header, writer, SILENT):
        messages.say(f"from the cache (key {header.key[:12]})")
        part.discard()
        cache.send(part.target, stream.write)
        writer.start, writer.done = len(header), True
        return writer
    if part and force:
        os.ftruncate(part.descriptor, 0)
    writer._begin()
    return writer


def _is_current(target: Path, header: Header, writer: Writer, messages: Messages) -> bool:
    """Whether the target holds this very result, complete; if not, say why it is made again."""
    short = header.key[:12]
    try:
        with open_records(target) as reader:
            old = reader.header
            if old.key != header.key or old.images != header.images:
                why = changed(old.params, header.params)
                if not why and [i for i in old.inputs if i not in header.inputs]:
                    old_roles = {canonical_json(one): one["role"] for one in old.inputs}
                    new = {canonical_json(one) for one in header.inputs}
                    why = "another " + ", ".join(sorted({r for j, r in old_roles.items() if j not in new}))
                messages.say(f"making '{target}' again: {why or 'other inputs, stage or version'}")
                return False
            reader.drain()
            writer.tail["status"][:] = reader.tail["status"]
    except WsstoolError as error:
        messages.say(f"making '{target}' again: {error}")
        return False
    except (KeyError, json.JSONDecodeError, BadInputError):
        return False
    messages.say(f"'{target}' is up to date (key {short})")
    return True
