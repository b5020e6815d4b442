"""Several record files read as the one that ``merge`` would make of them, without a copy."""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from wsstool.store.input.open_files import OpenFiles
from wsstool.store.input.parts import Parts
from wsstool.store.input.reader import Reader
from wsstool.store.schema import COMMON_TAIL, KINDS
from wsstool.types import SILENT, Messages


class SeveralReader(Reader):
    """Reads several record files side by side, one record of each at a time, sorted by image name.

    Args:
        readers: of the parts, in any order; closed with this object.
        sources: the parts, as typed.
        partial, messages: see ``Parts``.

    Raises:
        BadInputError: see ``Parts``.
    """

    def __init__(
        self,
        readers: Sequence[Reader],
        sources: Sequence[str],
        *,
        partial: bool = False,
        messages: Messages = SILENT,
    ) -> None:
        pairs = sorted(zip(readers, sources, strict=True), key=lambda pair: pair[0].header.images[:1])
        self._readers, names = [reader for reader, _ in pairs], [source for _, source in pairs]
        self.whole, self.changed, self.tail = False, False, {}
        self.name = f"'{names[0]}' with {len(names) - 1} others"
        self._path = self._readers[0]._path
        self._files = OpenFiles()
        self._header_only = False
        self._pieces: Iterator[np.ndarray] | None = None
        self._parts = Parts([one.header for one in self._readers], names, partial=partial, messages=messages)
        self.header = self._parts.header

    def close(self) -> None:
        for one in self._readers:
            one.close()

    @property
    def streamed(self) -> bool:
        return False

    @property
    def size(self) -> int:
        """Length of all files together in bytes."""
        return sum(one.size for one in self._readers)

    def prefix(self, count: int) -> int:
        """Return a checksum of what the first ``count`` records were read from; see ``ahead``."""
        return self._joined(count, Reader.prefix)

    def ahead(self, count: int) -> int:
        """Return what ``prefix(count)`` will be: of the checksums of all parts that have such records."""
        return self._joined(count, Reader.ahead)

    def _joined(self, count: int, checksum: Callable[[Reader, int], int]) -> int:
        if not count:
            return 0
        last, crc = self.header.images[count - 1], 0
        for one in self._readers:
            if read := bisect_right(one.header.images, last):
                crc = zlib.crc32(checksum(one, read).to_bytes(4, "little"), crc)
        return crc

    def _begun(self) -> Iterator[np.ndarray]:
        if self._pieces is None:
            self._pieces = self._in_order()
        return self._pieces

    def _in_order(self) -> Iterator[np.ndarray]:
        pieces = [one._begun() for one in self._readers]
        for part in self._parts.part.tolist():
            yield next(pieces[part])
        for rest in pieces:
            next(rest, None)  # compares the checksum, and reads the tail
        for name, (_, index, _) in {**KINDS[self.header.payload].tail, **COMMON_TAIL}.items():
            self.tail[name] = self._parts.gather(index, [one.tail[name] for one in self._readers])
        machines = [one.tail["environment"] for one in self._readers]
        if len({one.tobytes() for one in machines}) == 1:
            self.tail["environment"] = machines[0]
        self.whole = True
