"""Read record files: from disk, standard input or a FIFO, in stream form or repacked by another program."""

from __future__ import annotations

import os
import stat
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np

from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.store.columns import datasets, is_stream_form, names, text
from wsstool.store.header import Header
from wsstool.store.input.byte_source import Source
from wsstool.store.input.parse import parse_header
from wsstool.store.input.record import Record
from wsstool.store.schema import COMMON_TAIL, KINDS, SCHEMA

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SUPERBLOCK = 64  #: bytes that contain the relevant part of the superblock, in any version
_SMALL, _PACKED = 16 << 20, 1100  #: bytes allowed for any column; maximum compression ratio of deflate


class ChecksumError(BadInputError):
    """The input is complete, but its checksum is wrong: results computed from it must be discarded."""


class Reader:
    """Reads a record file once, in order. Use as a context manager.

    ``header`` is available at once; ``tail`` has the tail columns by name after the last record.

    Args:
        stream: open for reading; closed with the Reader unless it is standard input.
        name: for messages.
        path: path of the stream if it is a regular file.
    """

    header: Header

    def __init__(self, stream: BinaryIO, name: str, path: Path | None = None) -> None:
        self.name = name
        self.tail: dict[str, np.ndarray] = {}
        self._stream, self._source, self._path = stream, Source(stream), path
        self._relaid: h5py.File | None = None
        self._begun = False
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the input."""
        if self._relaid is not None:
            self._relaid.close()  # before its underlying source
        self._source.release()
        if sys.stdin is None or self._stream is not getattr(sys.stdin, "buffer", None):
            self._stream.close()

    @property
    def streamed(self) -> bool:
        """Whether the input is in stream form, with a contiguous payload."""
        return self._relaid is None

    @property
    def size(self) -> int:
        """Length of the complete file in bytes, according to its superblock."""
        return self._source.total

    @property
    def payload_start(self) -> int:
        """Offset of the payload of a file in stream form, in bytes."""
        return self._start

    def _bad(self, why: str) -> BadInputError:
        return BadInputError(f"{self.name} {why}")

    def _truncated(self, length: int) -> BadInputError:
        return self._bad(f"is truncated: {length} of {self.size} bytes")

    def _open(self) -> None:
        source = self._source
        try:
            source.fetch(_SUPERBLOCK)
        except OSError as error:
            raise self._bad(f"cannot be read ({error.strerror})") from error
        head = source.read_at(0, _SUPERBLOCK)
        if not head:
            raise self._bad("is empty (did the command before it fail?)")
        if not head.startswith(SIGNATURE[: len(head)]):
            raise self._bad("is not an HDF5 file")
        if len(head) < _SUPERBLOCK:
            raise self._bad(f"is truncated: it ends after {len(head)} bytes")
        start = {0: 40, 1: 44, 2: 28, 3: 28}.get(head[8])
        if start is None:
            raise self._bad("has a damaged superblock, or one of an unknown version")
        source.total = int.from_bytes(head[start : start + 8], "little")
        if self._path is not None:
            self._check_length(os.fstat(self._stream.fileno()).st_size)
        if not self._look(source, take=self._take):
            self._open_relaid()

    def _check_length(self, length: int) -> None:
        if length < self.size:
            raise self._truncated(length)
        if length > self.size:
            raise self._bad(
                f"has {length - self.size} bytes after its end; are these two concatenated files?"
            )

    def _look(self, file_object: Any, take: Any) -> bool:
        """Open as HDF5, ``take`` what is needed and close. False: not in stream form.

        The file is closed before any payload is read and before an exception is raised: HDF5 over a Python
        file object handles neither well.
        """
        source, failure = self._source, None
        try:
            with h5py.File(file_object, "r", locking=False) as file:
                attributes = {key: text(value) for key, value in file.attrs.items()}
                self._check_kind(attributes)
                found = take(file, attributes)
        except BadInputError as error:
            failure = str(error)
        except Exception as error:
            failure = self._bad(f"is damaged ({error})").args[0]
        if source.error is not None:
            raise source.error
        if source.short:
            raise self._truncated(source.length)
        if failure is not None:
            raise BadInputError(failure)
        return found

    def _check_kind(self, attributes: dict[str, Any]) -> None:
        if "wsstool_schema" not in attributes:
            raise self._bad("is an HDF5 file, but wsstool did not write it")
        if int(attributes["wsstool_schema"]) > SCHEMA:
            raise self._bad(
                f"has schema {attributes['wsstool_schema']}, but this version of wsstool reads schemas "
                f"up to {SCHEMA}; upgrade wsstool"
            )
        if attributes.get("payload") not in KINDS:
            raise self._bad(
                f"contains '{attributes.get('payload')}', a kind that this version of wsstool does not "
                "support"
            )

    def _take(self, file: h5py.File, attributes: dict[str, Any]) -> bool:
        """Copy the header; False if the file is not in stream form."""
        payload = attributes["payload"]
        columns = datasets(file)
        heads, tails = names(payload, columns)
        if not is_stream_form(columns, payload, heads, tails):
            return False
        start = columns[payload].id.get_offset()
        places = {
            name: (columns[name].id.get_offset(), columns[name].dtype.str, columns[name].shape)
            for name in tails
        }
        if start is None:
            start = min(offset for offset, _, _ in places.values() if offset is not None)
        known = {*KINDS[payload].tail, *COMMON_TAIL, "environment", "crc32"}
        more = {k: (d, s) for k, (_, d, s) in places.items() if k not in known}
        self._set_header(attributes, columns, heads, places, more)
        ends = [o + np.dtype(d).itemsize * int(np.prod(s)) for o, d, s in places.values() if o is not None]
        if max(ends) != self.size or places["crc32"][0] != self.size - 4:
            raise self._bad("is damaged: its length does not match its contents")
        self._places, self._start = places, int(start)
        return True

    def _set_header(
        self,
        attributes: dict[str, Any],
        columns: dict[str, h5py.Dataset],
        heads: Sequence[str],
        tails: Any,
        more: dict[str, tuple[str, tuple[int, ...]]],
    ) -> None:
        for dataset in columns.values():
            self._check_extent(dataset)
        payload = columns[attributes["payload"]]
        try:
            head = {name: columns[name][()] for name in heads}
            header = parse_header(attributes, head, payload.dtype.name, more)
            if payload.shape != (header.offsets[-1],):
                raise BadInputError("the length of its payload does not match its index")
            for name, (dtype, shape, _) in header.tail_columns().items():
                found = columns.get(name)
                if name not in tails or found is None or found.shape != shape or found.dtype != dtype:
                    raise BadInputError(f"its column {name} is missing, or has a different shape or type")
        except BadInputError as error:
            raise BadInputError(f"{self.name}: {error}") from None
        self.header = header

    def _check_extent(self, dataset: h5py.Dataset) -> None:
        """Check the dataset against the length of the file before allocating; reject external storage."""
        claimed = dataset.size * dataset.dtype.itemsize
        there = min(dataset.id.get_storage_size(), self.size)
        if claimed > max(_SMALL, _PACKED * there) or dataset.dtype.kind not in "iufbS":
            raise self._bad(f"is damaged: '{dataset.name}' cannot have its stated size")
        if dataset.external or dataset.is_virtual:
            raise self._bad(f"stores '{dataset.name}' in another file, which is not supported")

    def _open_relaid(self) -> None:
        """Open another layout (repacked, compressed), which needs random access; a pipe is spooled first."""
        source = self._source
        if self._path is None:
            source.fetch(self.size)
            if source.short:
                raise self._truncated(source.length)
            if not source.ended():
                raise self._bad("has more bytes after its end; are these two concatenated files?")
        self._look(source if self._path is None else self._path, take=self._take_relaid)
        self._relaid = h5py.File(source if self._path is None else self._path, "r", locking=False)

    def _take_relaid(self, file: h5py.File, attributes: dict[str, Any]) -> bool:
        columns = datasets(file)
        heads, tails = names(attributes["payload"], columns, in_order=False)
        self._set_header(attributes, columns, heads, tails, {})
        self.tail = {name: columns[name][()] for name in tails}
        return True

    def records(self, start: int = 0) -> Iterator[Record]:
        """Yield the records in order, from number ``start`` on; afterwards ``tail`` holds the tail columns.

        The checksum is compared after the last record and before the iteration ends, so a stage that has seen
        the end knows that every record was intact. Earlier records are read and checked too.

        Raises:
            BadInputError: the input ends early, or its checksum is wrong.
            RuntimeError: the records have been read already.
        """
        if self._begun:
            raise RuntimeError(f"{self.name} can be read only once; open it again")
        self._begun = True
        read = self._stream_records() if self._relaid is None else self._relaid_records()
        for i, data in enumerate(read):
            if i >= start:
                yield Record.at(self.header, i, data)

    def drain(self) -> None:
        """Read to the end, so that a failure upstream is still detected."""
        for _ in self.records(len(self.header)):
            pass

    def _fill(self, view: memoryview, position: int) -> None:
        try:
            got = self._source.fill(view, position)
        except OSError as error:
            raise self._bad(f"cannot be read ({error.strerror})") from error
        if got < len(view):
            raise self._truncated(position + got)

    def _stream_records(self) -> Iterator[np.ndarray]:
        source = self._source
        source.fetch(self._start)
        if source.length < self._start:
            raise self._truncated(source.length)
        crc = zlib.crc32(source.read_at(0, self._start))
        dtype, position = np.dtype(self.header.dtype), self._start
        for count in np.diff(self.header.offsets).tolist():
            data = np.empty(count, dtype)
            view = data.view(np.uint8).data if count else memoryview(b"")
            self._fill(view, position)
            crc = zlib.crc32(view, crc)
            position += len(view)
            yield data
        rest = bytearray(self.size - position)
        self._fill(memoryview(rest), position)
        if int.from_bytes(rest[-4:], "little") != zlib.crc32(rest[:-4], crc):
            raise ChecksumError(f"{self.name} is damaged: its checksum does not match")
        if not source.ended():
            raise self._bad("has more bytes after its end; are these two concatenated files?")
        for name, (offset, kind, shape) in self._places.items():
            count = int(np.prod(shape))
            at = 0 if offset is None else offset - position
            self.tail[name] = np.frombuffer(bytes(rest), kind, count, at).reshape(shape)

    def _relaid_records(self) -> Iterator[np.ndarray]:
        assert self._relaid is not None
        payload, offsets = self._relaid[self.header.payload], self.header.offsets
        for i in range(len(self.header)):
            try:
                yield payload[int(offsets[i]) : int(offsets[i + 1])]
            except OSError as error:
                raise ChecksumError(f"{self.name} is damaged ({error})") from None


def open_records(
    source: object = None, *, kinds: Sequence[str] = (), command: str = "", sentences: bool = False
) -> Reader:
    """Open a record file for one pass in order.

    Args:
        source: path, ``-`` or None (standard input); a FIFO works like standard input.
        kinds: payload kinds that the command reads; empty: any.
        command: name of the command, for messages.
        sentences: whether a command that names its kinds also reads files whose entries are sentences.
    Raises:
        UsageError: standard input is a terminal.
        MissingInputError: no such file.
        BadInputError: not a record file, damaged, truncated, or of another kind.
    """
    stream: BinaryIO
    path = None
    if source is None or str(source) == "-":
        if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
            raise UsageError("there is no input; name a file, or pipe one to standard input")
        stream, name = sys.stdin.buffer, "standard input"
    else:
        name = f"'{source}'"
        try:
            mode = os.stat(str(source)).st_mode
            if stat.S_ISDIR(mode):
                raise BadInputError(f"{name} is a folder; {command or 'this command'} reads a file")
            path = Path(str(source)) if stat.S_ISREG(mode) else None
            stream = open(str(source), "rb")  # noqa: SIM115 - the Reader closes it
        except OSError as error:
            raise MissingInputError(f"cannot read {name}: {error.strerror}") from error
    reader = Reader(stream, name, path)
    if kinds and reader.header.payload not in kinds:
        reader.close()
        raise other_kind(name, reader.header, kinds, command)
    if kinds and not sentences and reader.header.sentences is not None:
        reader.close()
        raise BadInputError(
            f"{name} has one {reader.header.payload} per sentence; {command} reads one per "
            f"{'image' if reader.header.payload == 'mask' else 'object'}"
        )
    return reader


def other_kind(name: str, header: Header, kinds: Sequence[str], command: str) -> BadInputError:
    """Return the error of a file of a kind that a command does not read; ``name`` as it is to be shown."""
    makers = " or ".join(sorted({f"'{KINDS[kind].made_by}'" for kind in kinds}))
    return BadInputError(
        f"{name} is a {header.payload} file (from '{header.stage}'); {command} reads {' or '.join(kinds)} "
        f"files, made by {makers}"
    )
