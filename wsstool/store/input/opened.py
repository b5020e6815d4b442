"""Open a record file: its header, and where everything else is. Nothing of the payload is read."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np

from wsstool.errors import BadInputError
from wsstool.store.columns import datasets, is_stream_form, names, text
from wsstool.store.header import Header
from wsstool.store.input.byte_source import Source
from wsstool.store.input.extents import check_attributes, excess
from wsstool.store.input.open_files import OpenFiles
from wsstool.store.input.parse import parse_header
from wsstool.store.schema import COMMON_TAIL, KINDS, SCHEMA

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SUPERBLOCK = 64  #: bytes that contain the relevant part of the superblock, in any version
CHANGED = (
    "was changed in place by another program, so that its checksum no longer holds; "
    "'wsstool cat' lays it out anew"
)


class OpenedFile:
    """A record file whose header has been read and checked.

    Args:
        stream: open for reading; closed with this object unless it is standard input.
        name: for messages.
        path: path of the stream if it is a regular file.
        accept_changed: whether a file whose header another program changed in place is read, without a
            checksum to compare; see ``changed``.
        files: keeps repacked files open, by default as long as this object.
    """

    header: Header

    def __init__(
        self,
        stream: BinaryIO,
        name: str,
        path: Path | None = None,
        *,
        accept_changed: bool = False,
        files: OpenFiles | None = None,
    ) -> None:
        self.name = name
        self.tail: dict[str, np.ndarray] = {}
        self.changed = False  #: another program changed the header in place
        self._stream, self._source, self._path = stream, Source(stream), path
        self._accept_changed = accept_changed
        self._files = files or OpenFiles()
        self._is_relaid = False
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the input."""
        self._files.close(self)  # before its underlying source
        self._source.release()
        if sys.stdin is None or self._stream is not getattr(sys.stdin, "buffer", None):
            self._stream.close()

    @property
    def streamed(self) -> bool:
        """Whether the input is in stream form, with a contiguous payload."""
        return not self._is_relaid

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
                check_attributes(file)
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
        self._source.fetch(start)  # before memory is taken for the columns: a header may claim anything
        if self._source.length < start:
            self._source.short = True
            return False
        known = {*KINDS[payload].tail, *COMMON_TAIL, "environment", "crc32"}
        more = {k: (d, s) for k, (_, d, s) in places.items() if k not in known}
        self._set_header(attributes, columns, heads, places, more)
        ends = [o + np.dtype(d).itemsize * int(np.prod(s)) for o, d, s in places.values() if o is not None]
        if max(ends) < self.size:  # HDF5 appended metadata
            if not self._accept_changed:
                raise self._bad(CHANGED)
            self.changed = True
            return False
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
        if wrong := excess(columns, attributes["payload"], self.size):
            raise self._bad(wrong)
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
        self._is_relaid = True

    def _relaid(self) -> h5py.Dataset:
        """Return the payload of a file in another layout."""
        file: h5py.File = self._files.get(
            self, lambda: h5py.File(self._source if self._path is None else self._path, "r", locking=False)
        )
        return file[self.header.payload]

    def _take_relaid(self, file: h5py.File, attributes: dict[str, Any]) -> bool:
        columns = datasets(file)
        heads, tails = names(attributes["payload"], columns, in_order=False)
        self._set_header(attributes, columns, heads, tails, {})
        self.tail = {name: columns[name][()] for name in tails}
        return True
