"""Read record files: from disk, standard input or a FIFO, in stream form or repacked by another program."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np

from wsstool.errors import BadInputError, BusyError, CannotWriteError, MissingInputError, UsageError
from wsstool.store.input.open_files import OpenFiles
from wsstool.store.input.opened import CHANGED, OpenedFile
from wsstool.store.input.record import Record

_BLOCK = 1 << 20


class ChecksumError(BadInputError):
    """The input is complete, but its checksum is wrong: results computed from it must be discarded."""


class Reader(OpenedFile):
    """Reads a record file once, in order. Use as a context manager.

    ``header`` is available at once; ``tail`` has the tail columns by name after the last record. Leaving the
    context reads what is left: whoever has left it without an exception knows that the input was intact, and
    an error that a damaged input caused becomes the error that says so.

    Args:
        stream, name, path, accept_changed, files: see ``OpenedFile``.
        header_only: whether leaving reads nothing, for a look at the header that decides nothing.
    """

    def __init__(
        self,
        stream: BinaryIO,
        name: str,
        path: Path | None = None,
        *,
        header_only: bool = False,
        accept_changed: bool = False,
        files: OpenFiles | None = None,
    ) -> None:
        self.whole = False  #: everything was read, and the checksum matched
        self._header_only = header_only
        self._pieces: Iterator[np.ndarray] | None = None
        self._crcs: list[int] = []
        super().__init__(stream, name, path, accept_changed=accept_changed, files=files)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if not self._header_only:
                self.settle(error)
        finally:
            self.close()

    def records(self, start: int = 0) -> Iterator[Record]:
        """Yield the records in order, from number ``start`` on; afterwards ``tail`` holds the tail columns.

        The checksum is compared after the last record and before the iteration ends, so a stage that has seen
        the end knows that every record was intact. Earlier records are read and checked too.

        Raises:
            BadInputError: the input ends early, its checksum is wrong, or a record has values that its kind
                cannot have.
            RuntimeError: the records have been read already.
        """
        if self._pieces is not None:
            raise RuntimeError(f"{self.name} can be read only once; open it again")
        for i, data in enumerate(self._begun()):
            if i >= start:
                record = Record.at(self.header, i, data)
                record.check(self.name)
                yield record

    def drain(self) -> None:
        """Read to the end, so that a failure upstream is still detected."""
        for _ in self.records(len(self.header)):
            pass

    def finish(self) -> None:
        """Read what is left, and compare the checksum.

        Raises:
            BadInputError: the input ends early, or its checksum is wrong.
        """
        for _ in self._begun():
            pass

    def settle(self, error: BaseException | None) -> None:
        """At the end of the reading stage, read what is left: after an error, the input may be to blame.

        Not after an interruption or an error of the output, nor from a pipe whose records nobody has read
        yet, unless its content is at fault: a mistyped option is reported at once.

        Args:
            error: that ended the stage; None: it is done.

        Raises:
            BadInputError: the input ends early, or its checksum is wrong.
        """
        if error is None:
            self.finish()
            return
        about_output = isinstance(error, CannotWriteError | BusyError | BrokenPipeError | ChecksumError)
        if self.whole or about_output or not isinstance(error, Exception):
            return
        elsewhere = isinstance(error, UsageError | MissingInputError)
        if elsewhere and self._path is None and self._pieces is None:
            return
        try:
            self.finish()
        except BadInputError as found:
            raise found from error

    def prefix(self, count: int) -> int:
        """Return the CRC-32 of the header and the first ``count`` records; 0 if they have not been read."""
        return self._crcs[count] if count < len(self._crcs) else 0

    def ahead(self, count: int) -> int:
        """Return what ``prefix(count)`` will be, before any record is read.

        Raises:
            BadInputError: the input ends before.
        """
        if self._is_relaid:
            crc, offsets = zlib.crc32(self.header.layout().head), self.header.offsets[: count + 1].tolist()
            for first, end in pairwise(offsets):
                piece = self._relaid_piece(first, end)
                crc = zlib.crc32(piece.view(np.uint8).data if piece.size else b"", crc)
            return crc
        end = self._start + int(self.header.offsets[count]) * np.dtype(self.header.dtype).itemsize
        crc = 0
        if self._path is None:
            self._source.fetch(end)
        for place in range(0, end, _BLOCK):
            length = min(_BLOCK, end - place)
            if self._path is None:
                data = self._source.read_at(place, length)
            else:
                data = os.pread(self._stream.fileno(), length, place)
            if len(data) < length:
                raise self._truncated(place + len(data))
            crc = zlib.crc32(data, crc)
        return crc

    def _begun(self) -> Iterator[np.ndarray]:
        if self._pieces is None:
            self._pieces = self._relaid_records() if self._is_relaid else self._stream_records()
        return self._pieces

    def _fill(self, view: memoryview, position: int) -> None:
        try:
            got = self._source.fill(view, position)
        except OSError as error:
            raise self._bad(f"cannot be read ({error.strerror})") from error
        if got < len(view):
            raise self._truncated(position + got)

    def _room(self, count: int, dtype: np.dtype) -> np.ndarray:
        """Allocate; the system takes memory only as it is filled, so that a claim alone takes none."""
        try:
            return np.empty(count, dtype)
        except MemoryError:
            size = count * dtype.itemsize >> 20
            raise self._bad(f"claims {size:,} MiB for one record, more than there is memory") from None

    def _stream_records(self) -> Iterator[np.ndarray]:
        source = self._source
        source.fetch(self._start)
        if source.length < self._start:
            raise self._truncated(source.length)
        crc = zlib.crc32(source.read_at(0, self._start))
        self._crcs.append(crc)
        dtype, position = np.dtype(self.header.dtype), self._start
        for count in np.diff(self.header.offsets).tolist():
            data = self._room(count, dtype)
            view = data.view(np.uint8).data if count else memoryview(b"")
            self._fill(view, position)
            crc = zlib.crc32(view, crc)
            self._crcs.append(crc)
            position += len(view)
            yield data
        rest = self._room(self.size - position, np.dtype(np.uint8)).data
        self._fill(rest, position)
        if int.from_bytes(rest[-4:], "little") != zlib.crc32(rest[:-4], crc):
            if not self._head_changed():
                raise ChecksumError(f"{self.name} is damaged: its checksum does not match")
            if not self._accept_changed:
                raise ChecksumError(f"{self.name} {CHANGED}")
            self.changed = True
        if not source.ended():
            raise self._bad("has more bytes after its end; are these two concatenated files?")
        for name, (offset, kind, shape) in self._places.items():
            count = int(np.prod(shape))
            at = 0 if offset is None else offset - position
            self.tail[name] = np.frombuffer(bytes(rest), kind, count, at).reshape(shape)
        self.whole = True

    def _head_changed(self) -> bool:
        """Whether HDF5 rewrote the metadata, as when an attribute is set: equal headers have equal bytes."""
        try:
            return self._source.read_at(0, self._start) != self.header.layout().head
        except (RuntimeError, ValueError, TypeError):
            return False

    def _relaid_records(self) -> Iterator[np.ndarray]:
        """Read records by number; compare the checksum that they would have in stream form."""
        layout, offsets = self.header.layout(), self.header.offsets
        crc = zlib.crc32(layout.head)
        self._crcs.append(crc)
        for i in range(len(self.header)):
            data = self._relaid_piece(int(offsets[i]), int(offsets[i + 1]))
            crc = zlib.crc32(data.view(np.uint8).data if data.size else b"", crc)
            self._crcs.append(crc)
            yield data
        end = layout.end(self.tail)
        known = not self.changed and not self.header.has_unknown_parts
        if known and int(self.tail["crc32"][0]) != zlib.crc32(end[:-4], crc):
            raise ChecksumError(
                f"{self.name} is damaged, or another program changed it: its checksum does not match"
            )
        self.whole = True

    def _relaid_piece(self, first: int, end: int) -> np.ndarray:
        try:
            return np.ascontiguousarray(self._relaid()[first:end], self.header.dtype)
        except (OSError, MemoryError) as error:
            raise ChecksumError(f"{self.name} is damaged ({error})") from None
