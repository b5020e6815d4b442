"""Read record files: from disk, standard input or a FIFO, in stream form or re-laid by another program."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import sys
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np

from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.store.header import Header, parse_header
from wsstool.store.schema import COMMON_TAIL, KINDS, SCHEMA

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_CHUNK = 1 << 20
_MEMORY = 256 << 20


@dataclass(frozen=True)
class Record:
    """One image's part of the payload.

    ``data`` has the record's shape; it is flat where the shape is ragged (several CAM layers, windows).
    """

    index: int
    name: str
    size: tuple[int, int]
    data: np.ndarray
    header: Header

    @property
    def failed(self) -> bool:
        """Whether the stage that wrote this record could not make it."""
        filler = KINDS[self.header.payload].failed
        if filler is None:
            return self.size == (0, 0)
        if self.size == (0, 0):
            return True
        if self.data.size == 0:
            return False
        return bool(np.isnan(self.data).all() if np.isnan(filler) else (self.data == filler).all())

    @property
    def class_ids(self) -> np.ndarray:
        """(K,) class ids of the maps of a ``cam`` record."""
        return self.header.class_ids(self.index)

    @property
    def maps(self) -> list[np.ndarray]:
        """One (K, h, w) array a layer of a ``cam`` record."""
        ids, flat, start, blocks = self.class_ids, self.data.reshape(-1), 0, []
        for rows, columns in self.header.columns["layer_size"][self.index]:
            count = len(ids) * int(rows) * int(columns)
            blocks.append(flat[start : start + count].reshape(len(ids), int(rows), int(columns)))
            start += count
        return blocks


class _Prefix(io.RawIOBase):
    """The first bytes of a stream as a seekable file; h5py pulls in as much as it looks at.

    h5py's driver ignores short reads, so a read past the end of the stream gives zeros and sets ``short``.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.kept = tempfile.SpooledTemporaryFile(max_size=_MEMORY)  # noqa: SIM115 - lives as long as self
        self.length = self._position = 0
        self.total, self.short = 1 << 62, False

    def fetch(self, until: int) -> None:
        """Read on until ``until`` bytes are kept, or the stream ends."""
        self.kept.seek(self.length)
        while self.length < until:
            data = self.stream.read(min(_CHUNK, until - self.length))
            if not data:
                self.short = True
                return
            self.kept.write(data)
            self.length += len(data)

    def read_at(self, start: int, count: int) -> bytes:
        self.kept.seek(start)
        return self.kept.read(count)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset + (0, self._position, self.total)[whence]
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        end = self._position + len(view)
        self.fetch(min(end, self.total))
        data = self.read_at(self._position, len(view))
        view[: len(data)] = data
        view[len(data) :] = bytes(len(view) - len(data))
        self._position = end
        return len(view)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def _stored_length(head: bytes) -> int:
    """End-of-file address in the superblock: what length the file says it has."""
    start = {0: 40, 1: 44, 2: 28, 3: 28}.get(head[8])
    if start is None or len(head) < start + 8:
        raise BadInputError("its HDF5 superblock is damaged or of an unknown version")
    return int.from_bytes(head[start : start + 8], "little")


class Reader:
    """A record file that is being read, once, in order. Use as a context manager."""

    header: Header

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.name = name
        self.tail: dict[str, np.ndarray] = {}
        self._stream, self._prefix = stream, _Prefix(stream)
        self._relaid: h5py.File | None = None
        self._open()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._relaid is not None:
            self._relaid.close()
        if self._stream is not sys.stdin.buffer:
            self._stream.close()

    @property
    def streamed(self) -> bool:
        """Whether the input is in stream form, its payload one run of bytes."""
        return self._relaid is None

    @property
    def size(self) -> int:
        """Length of the complete file in bytes, as its superblock says."""
        return self._prefix.total

    @property
    def payload_start(self) -> int:
        """Where the payload of a file in stream form starts, in bytes."""
        return self._start

    def _bad(self, why: str) -> BadInputError:
        return BadInputError(f"{self.name}: {why}")

    def _open(self) -> None:
        prefix = self._prefix
        prefix.fetch(64)
        head = prefix.read_at(0, 64)
        if not head:
            raise self._bad("is empty (did the command before it fail?)")
        if not head.startswith(_SIGNATURE[: len(head)]):
            raise self._bad("is not an HDF5 file")
        if len(head) < 64:
            raise self._bad(f"is truncated: it ends after {len(head)} bytes")
        try:
            prefix.total = _stored_length(head)
        except BadInputError as error:
            raise self._bad(str(error)) from None
        try:
            with h5py.File(prefix, "r") as file:
                attributes = {key: _text(value) for key, value in file.attrs.items()}
                self._check_kind(attributes)
                in_order = _is_stream_form(file, attributes["payload"])
                if in_order:
                    self._take(file, attributes)
        except BadInputError:
            raise
        except Exception as error:
            # A closed file object is no error of the file: a cut stream shows as `short`.
            if prefix.short:
                raise self._bad(f"is truncated: {prefix.length} of {prefix.total} bytes") from None
            raise self._bad(f"is damaged ({error})") from None
        if not in_order:
            self._take_relaid()
        if prefix.short:
            raise self._bad(f"is truncated: {prefix.length} of {prefix.total} bytes")

    def _check_kind(self, attributes: dict[str, Any]) -> None:
        if "wsstool_schema" not in attributes:
            raise self._bad("is an HDF5 file, but wsstool did not write it")
        if int(attributes["wsstool_schema"]) > SCHEMA:
            raise self._bad(
                f"has schema {attributes['wsstool_schema']}; this version reads up to {SCHEMA}: upgrade"
            )
        if attributes.get("payload") not in KINDS:
            raise self._bad(f"holds '{attributes.get('payload')}', a kind that this version does not know")

    def _take(self, file: h5py.File, attributes: dict[str, Any]) -> None:
        """Copy out of the header what is needed; the h5py file is closed before any payload is read."""
        payload = file[attributes["payload"]]
        tails = {*COMMON_TAIL, *KINDS[attributes["payload"]].tail, "environment", "crc32"}
        start, head, tail = payload.id.get_offset(), {}, {}
        for name in file:
            dataset = file[name]
            if name == attributes["payload"]:
                continue
            offset = dataset.id.get_offset()
            is_tail = name in tails or (offset is not None and start is not None and offset > start)
            if is_tail:
                tail[name] = (offset, dataset.dtype.str, dataset.shape)
            else:
                head[name] = dataset[()]
        more = {k: (d, s) for k, (_, d, s) in tail.items() if k not in tails}
        try:
            self.header = parse_header(attributes, head, payload.dtype.name, more)
            if payload.shape != (self.header.offsets[-1],):
                raise BadInputError("the payload has another length than its index says")
        except BadInputError as error:
            raise self._bad(str(error)) from None
        end = max(o + np.dtype(d).itemsize * int(np.prod(s)) for o, d, s in tail.values() if o is not None)
        if end != self._prefix.total:
            raise self._bad("is damaged: its length is not the sum of its parts")
        self._tail_places = tail
        if start is None:
            start = min(offset for offset, _, _ in tail.values() if offset is not None)
        self._start = int(start)

    def _take_relaid(self) -> None:
        """Another layout (repacked, compressed) needs random access: spool the rest and let h5py read."""
        self._prefix.fetch(self._prefix.total)
        if self._prefix.short:
            raise self._bad(f"is truncated: {self._prefix.length} of {self._prefix.total} bytes")
        try:
            file = self._relaid = h5py.File(self._prefix, "r")
            attributes = {key: _text(value) for key, value in file.attrs.items()}
            payload = attributes["payload"]
            tails = {*COMMON_TAIL, *KINDS[payload].tail, "environment", "crc32"}
            head = {name: file[name][()] for name in file if name != payload and name not in tails}
            self.header = parse_header(attributes, head, file[payload].dtype.name, {})
            self.tail = {name: file[name][()] for name in file if name in tails}
            if file[payload].shape != (self.header.offsets[-1],):
                raise BadInputError("the payload has another length than its index says")
        except BadInputError as error:
            raise self._bad(str(error)) from None
        except Exception as error:
            raise self._bad(f"is damaged ({error})") from None

    def records(self, start: int = 0) -> Iterator[Record]:
        """Yield the records in order, from number ``start`` on; afterwards ``tail`` holds the tail columns.

        The checksum is compared after the last record and before the iteration ends, so a stage that has seen
        the end knows that every record was whole. Earlier records are read and checked too.

        Raises:
            BadInputError: the input ends early, or its checksum is wrong.
        """
        read = self._stream_records() if self._relaid is None else self._relaid_records()
        names, sizes = self.header.images, self.header.sizes
        for i, data in enumerate(read):
            if i >= start:
                shape = tuple(int(n) for n in self.header.shapes[i])
                if -1 not in shape and data.size:
                    data = data.reshape(shape)
                yield Record(i, names[i], (int(sizes[i][0]), int(sizes[i][1])), data, self.header)

    def drain(self) -> None:
        """Read to the end, so that a failure upstream still counts."""
        for _ in self.records(len(self.header)):
            pass

    def _stream_records(self) -> Iterator[np.ndarray]:
        prefix = self._prefix
        prefix.fetch(self._start)
        surplus = io.BytesIO(prefix.read_at(0, prefix.length))
        crc = zlib.crc32(surplus.read(self._start))
        offsets, dtype = self.header.offsets, np.dtype(self.header.dtype)

        def fill(view: memoryview) -> None:
            got = surplus.readinto(view) or 0
            while got < len(view):
                more = self._stream.readinto(view[got:])  # type: ignore[attr-defined]
                if not more:
                    where = position + got
                    raise self._bad(f"is truncated: {where} of {prefix.total} bytes")
                got += more

        position = self._start
        for i in range(len(self.header)):
            data = np.empty(int(offsets[i + 1] - offsets[i]), dtype)
            view = data.view(np.uint8).data if data.size else memoryview(b"")
            if data.size:
                fill(view)
            crc = zlib.crc32(view, crc)
            position += len(view)
            yield data
        rest = bytearray(prefix.total - position)
        fill(memoryview(rest))
        if int.from_bytes(rest[-4:], "little") != zlib.crc32(rest[:-4], crc):
            raise self._bad("is damaged: its checksum does not match")
        for name, (offset, kind, shape) in self._tail_places.items():
            count = int(np.prod(shape))
            at = 0 if offset is None else offset - position
            self.tail[name] = (
                np.frombuffer(bytes(rest), kind, count, at).reshape(shape) if count else np.empty(shape, kind)
            )

    def _relaid_records(self) -> Iterator[np.ndarray]:
        assert self._relaid is not None
        payload, offsets = self._relaid[self.header.payload], self.header.offsets
        for i in range(len(self.header)):
            try:
                yield payload[int(offsets[i]) : int(offsets[i + 1])]
            except OSError as error:
                raise self._bad(f"is damaged ({error})") from None


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _is_stream_form(file: h5py.File, payload: str) -> bool:
    """Whether the bytes are in reading order: head columns, contiguous payload, tail."""
    if payload not in file or file[payload].chunks is not None or "crc32" not in file:
        return False
    tails = {*COMMON_TAIL, *KINDS[payload].tail, "environment", "crc32"}
    start = file[payload].id.get_offset()
    end = (start or 0) + file[payload].id.get_storage_size()
    for name in file:
        dataset = file[name]
        offset = dataset.id.get_offset()
        if name == payload or offset is None or start is None:
            continue
        if dataset.chunks is not None or (name in tails and offset < end):
            return False
        if name not in tails and offset > start and name in ("image", "size", "offset", "shape"):
            return False
    return True


def open_records(source: object = None, *, kinds: Sequence[str] = (), command: str = "") -> Reader:
    """Open a record file for one pass in order.

    Args:
        source: path, ``-`` or None (standard input); a FIFO works like standard input.
        kinds: payloads that the command reads; empty: any.
        command: the command, for messages.
    Raises:
        UsageError: standard input is a terminal.
        MissingInputError: no such file.
        BadInputError: not a record file, damaged, truncated, or of another kind.
    """
    stream: BinaryIO
    if source is None or str(source) == "-":
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError("name an input file, or pipe one in")
        stream, name = sys.stdin.buffer, "standard input"
    else:
        name = f"'{source}'"
        path = Path(str(source))
        try:
            if stat.S_ISDIR(os.stat(path).st_mode):
                raise BadInputError(f"{name} is a folder; {command or 'this command'} reads a file")
            stream = open(path, "rb")  # noqa: SIM115 - the Reader closes it
        except OSError as error:
            raise MissingInputError(f"cannot read {name}: {error.strerror}") from error
    try:
        reader = Reader(stream, name)
    except BaseException:
        if stream is not sys.stdin.buffer:
            stream.close()
        raise
    if kinds and reader.header.payload not in kinds:
        got = reader.header.payload
        makers = " or ".join(sorted({f"'{KINDS[kind].made_by}'" for kind in kinds}))
        with contextlib.suppress(Exception):
            reader.__exit__()
        wanted = " or ".join(kinds)
        raise BadInputError(
            f"{name} is a {got} file (from '{reader.header.stage}'); "
            f"{command} reads {wanted}, which {makers} makes"
        )
    return reader
