"""Write record files: streamed, resumable, atomic. The same bytes to a file and to a pipe."""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from wsstool.errors import CannotWriteError, SomeFailedError
from wsstool.store.header import ENVIRONMENT_BYTES, Header
from wsstool.store.input.reader import ChecksumError, Reader
from wsstool.store.output.partial_file import PartFile, Sink
from wsstool.store.output.spooled import Chain, SpooledArray
from wsstool.store.schema import KINDS
from wsstool.types import Messages

_CHUNK = 1 << 20
_NOTE = 4  #: bytes of a checksum in the journal


class Writer:
    """Writes the records of a file in order. Created by ``create``; use as a context manager.

    ``start`` is the first record that has to be computed: above 0 after a killed run, ``len(header)`` if
    the output is up to date, so that a stage just loops over ``range(writer.start, len(header))``.
    ``tail`` has the tail columns by name; ``write`` fills them.
    """

    def __init__(
        self,
        header: Header,
        part: PartFile | None,
        stream: Sink | None,
        max_failed: int,
        messages: Messages,
        env: str,
        reading: Sequence[Reader] = (),
    ) -> None:
        self.header, self.max_failed, self.messages = header, max_failed, messages
        self.start = self._next = 0
        self.done = False
        self._part, self._stream = part, stream
        self._reading = [one for one in reading if not one.whole]
        self._mark = f"wsstool journal 2, inputs {len(self._reading)}\n".encode()
        self._columns = header.tail_columns()
        self.tail = {
            k: np.zeros(shape, dtype) for k, (dtype, shape, _) in self._columns.items() if k != "crc32"
        }
        self.tail["environment"][:] = env.encode()[:ENVIRONMENT_BYTES]
        self._per_record = [k for k, (_, _, index) in self._columns.items() if index != "file"]
        self._dtype = np.dtype(header.dtype)

    def _begin(self) -> None:
        """Send the header, after any records of the same file from an earlier run."""
        layout = self._layout = self.header.layout()
        ends = len(layout.head) + self.header.offsets[1:] * self._dtype.itemsize
        self._crc = zlib.crc32(layout.head)
        noted = b""
        if self._part:
            self.start, noted = self._part.resume(layout.head, ends, self._mark, self._journal_ends())
            if self.start and self._notes(noted) != self._inputs_ahead(self.start - 1):
                self.messages.say("starting over: the records kept from before were made from other input")
                self._part.restart()
                self.start = 0
            self._next = self.start
        if self.start:
            self._keep(noted, int(ends[self.start - 1]))
        else:
            self._send(layout.head, self._mark)

    def _journal_ends(self) -> np.ndarray:
        """Return the (N,) journal length in bytes after each record."""
        counts = np.zeros(len(self.header), np.int64)
        for name in self._per_record:
            column, index = self.tail[name], self._columns[name][2]
            bounds = self.header.columns.get(f"{index}_offset")
            rows = np.ones_like(counts) if bounds is None else np.diff(bounds)
            counts += rows * (column.itemsize * int(np.prod(column.shape[1:])))
        return np.cumsum(counts + _NOTE * len(self._reading))

    def _entry(self, i: int) -> list[np.ndarray]:
        return [self.tail[k][self.header.rows(i, self._columns[k][2])] for k in self._per_record]

    def _journal_entry(self, i: int) -> bytes:
        """Return the tail values of a record, and the checksum of every input up to the same image."""
        name = self.header.images[i]
        crcs = [one.prefix(bisect_right(one.header.images, name)) for one in self._reading]
        return b"".join(values.tobytes() for values in self._entry(i)) + _noted(crcs)

    def _notes(self, journal: bytes) -> bytes:
        """Return the checksums at the end of the last entry of a journal."""
        return journal[len(journal) - _NOTE * len(self._reading) :]

    def _inputs_ahead(self, i: int) -> bytes:
        """Return what the checksums of the inputs have to be up to image ``i``."""
        name = self.header.images[i]
        return _noted([one.ahead(bisect_right(one.header.images, name)) for one in self._reading])

    def _keep(self, noted: bytes, left: int) -> None:
        """Reuse the records of a killed run: checksum and tail values; in a pipe, send them on."""
        assert self._part
        self.messages.say(f"resuming at record {self.start + 1} of {len(self.header)}")
        self._crc = 0
        while left and (data := self._part.read(min(left, _CHUNK))):
            self._crc = zlib.crc32(data, self._crc)
            if self._stream:
                self._stream.write(data)
            left -= len(data)
        place = 0
        for i in range(self.start):
            for values in self._entry(i):
                values[...] = np.frombuffer(noted, values.dtype, values.size, place).reshape(values.shape)
                place += values.nbytes
            place += _NOTE * len(self._reading)

    def _send(self, data: Any, entry: bytes = b"") -> None:
        if self._part:
            try:
                self._part.sink.write(data)
                self._part.note(entry)
            except CannotWriteError as error:
                self._without_cache(error)
        if self._stream:
            self._stream.write(data)

    def _without_cache(self, error: CannotWriteError) -> None:
        """Continue without the cache if it fails: in a pipe, the part file is only the cache."""
        if self._stream is None or self._part is None:
            raise error
        self.messages.warn(f"not cached: {error}")
        self._part.discard()
        self._part = None

    def write(self, data: np.ndarray | SpooledArray | Chain, **tail: Any) -> None:
        """Append the next record and its tail values (``score=...``).

        Raises:
            ValueError: the record has another number of elements than planned in the header, or values that
                its dtype cannot represent.
        """
        if isinstance(data, SpooledArray | Chain):
            self._append(data.pieces(), data.size, 1, tail)
            data.close()
        else:
            flat = np.asarray(data).reshape(-1)
            self._append([flat], flat.size, 1, tail)

    def fail(self, reason: str) -> None:
        """Append the next record as failed, and warn with the reason.

        Raises:
            ValueError: rows are planned for it, and the kind has no fill value for failed records.
        """
        i = self._next
        self.messages.warn(f"{self.header.images[i]}: {reason}")
        count = int(self.header.offsets[i + 1] - self.header.offsets[i])
        filler = KINDS[self.header.payload].failed
        if filler is None and count:
            raise ValueError(f"record {i} failed; a failed {self.header.payload} record must have no rows")
        self._append(_filled(count, 0 if filler is None else filler, self._dtype), count, 2, {})

    def _append(self, pieces: Iterable[np.ndarray], size: int, status: int, tail: dict[str, Any]) -> None:
        """Send a record of ``size`` elements in flat pieces; only then is it noted as complete."""
        i = self._next
        if i >= len(self.header):
            raise ValueError(f"all {len(self.header)} records have been written")
        count = int(self.header.offsets[i + 1] - self.header.offsets[i])
        if size != count:
            raise ValueError(f"record {i} has {size} elements instead of {count}")
        views = (self._bytes_of(piece, i) for piece in pieces)
        held: Any = next(views, b"")
        for view in views:
            self._crc = zlib.crc32(held, self._crc)
            self._send(held)
            held = view
        for name, value in tail.items():
            self.tail[name][self.header.rows(i, self._columns[name][2])] = value
        self.tail["status"][i] = status
        self._crc = zlib.crc32(held, self._crc)
        self._send(held, self._journal_entry(i) if self._part else b"")
        self._next = i + 1

    def _bytes_of(self, piece: np.ndarray, i: int) -> Any:
        flat = np.ascontiguousarray(piece, self._dtype)
        wraps = self._dtype.kind == "u" and not np.can_cast(piece.dtype, self._dtype)
        if wraps and not np.array_equal(flat, piece):
            raise ValueError(f"record {i} has values that {self._dtype} cannot hold")
        return flat.view(np.uint8).data if flat.size else b""

    def _repeat(self, reader: Reader) -> None:
        """Send the records of a complete file of the same key, including the tail."""
        for record in reader.records():
            self._append([record.data.reshape(-1)], record.data.size, 1, {})
        self._finish(reader.tail)

    @property
    def failed(self) -> list[str]:
        """Names of the images that failed so far, in order."""
        return [self.header.images[i] for i in np.flatnonzero(self.tail["status"] == 2)]

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            for one in self._reading:
                one.settle(error)
            if error is None:
                self._complete()
        except Exception as found:
            error = found
            raise
        finally:
            # Do not resume from records computed from damaged input; with no records, keep nothing.
            if self._part and isinstance(error, ChecksumError if self._next else Exception):
                self._part.discard()
            self.close()

    def close(self) -> None:
        """Close the output as it is: written records can be resumed."""
        if self._part:
            self._part.close()
        if self._stream:
            self._stream.close()

    def _complete(self) -> None:
        if not self.done:
            if self._next != len(self.header):
                raise RuntimeError(f"{self._next} of {len(self.header)} records were written")
            self._finish(self.tail)
        failed = self.failed
        if len(failed) > self.max_failed:
            more = f" and {len(failed) - 5} more" if len(failed) > 5 else ""
            raise SomeFailedError(
                f"{len(failed)} of {len(self.header)} images failed: {', '.join(failed[:5])}{more}"
            )

    def _finish(self, tail: dict[str, np.ndarray]) -> None:
        end = self._layout.end(tail)
        end[-4:] = zlib.crc32(end[:-4], self._crc).to_bytes(4, "little")
        self._send(end)
        if self._part:
            try:
                self._part.commit()
            except CannotWriteError as error:
                self._without_cache(error)
        self.done = True


def _filled(count: int, value: float, dtype: np.dtype) -> Iterator[np.ndarray]:
    for first in range(0, count, _CHUNK):
        yield np.full(min(_CHUNK, count - first), value, dtype)


def _noted(crcs: Sequence[int]) -> bytes:
    return b"".join(crc.to_bytes(_NOTE, "little") for crc in crcs)
