"""One image's record in a record file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from wsstool.errors import BadInputError
from wsstool.regions import Proposals
from wsstool.store.header import Header
from wsstool.store.input.content import box_fault, fault, tree_fault
from wsstool.store.schema import KINDS, PADDING


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

    @classmethod
    def at(cls, header: Header, i: int, flat: np.ndarray) -> Record:
        """Build record ``i`` from its elements."""
        shape = tuple(int(n) for n in header.shapes[i])
        rows, columns = header.sizes[i]
        data = flat.reshape(shape) if flat.size and -1 not in shape else flat
        return cls(i, header.images[i], (int(rows), int(columns)), data, header)

    @property
    def failed(self) -> bool:
        """Whether the stage that wrote this record failed on the image."""
        filler = KINDS[self.header.payload].failed
        if self.size == (0, 0):
            return True
        if filler is None or self.data.size == 0:
            return False
        return bool(np.isnan(self.data).all() if np.isnan(filler) else (self.data == filler).all())

    def check(self, source: str = "the input") -> None:
        """Raise BadInputError, with the name of the image, unless the contents can be used."""
        if not self.failed:
            self._refuse(fault(self.data, self.header), f"{source}: ")

    def _refuse(self, why: str | None, source: str = "") -> None:
        if why:
            raise BadInputError(f"{source}the record of '{self.name}' {why}")

    @property
    def class_ids(self) -> np.ndarray:
        """Class ids of the maps of a ``cam`` record, (K,) int64."""
        return self.header.class_ids(self.index)

    @property
    def maps(self) -> list[np.ndarray]:
        """One (K, h, w) array per layer of a ``cam`` record; (K, 0, 0) if the image could not be read."""
        k = len(self.class_ids)
        return self._cut([(k, int(h), int(w)) for h, w in self.header.columns["layer_size"][self.index]])

    @property
    def windows(self) -> list[np.ndarray]:
        """One (h, w) array per box or sentence, the size of its window, see ``Header.windows``."""
        bounds = self.header.windows[self.header.rows(self.index, "box")]
        return self._cut([(int(y1 - y0), int(x1 - x0)) for x0, y0, x1, y1 in bounds])

    @property
    def placed(self) -> Iterator[np.ndarray]:
        """Yield each of ``windows`` at its place in the image: (H, W), 0 outside the window."""
        bounds = self.header.windows[self.header.rows(self.index, "box")].tolist()
        for (x0, y0, x1, y1), values in zip(bounds, self.windows, strict=True):
            whole = np.zeros(self.size, values.dtype)
            whole[y0:y1, x0:x1] = values
            yield whole

    @property
    def proposals(self) -> Proposals:
        """Superpixels and merge tree of a ``proposal`` record that did not fail, without the padding.

        Raises:
            BadInputError: they are no merge tree.
        """
        rows, columns = self.size
        flat = self.data.reshape(-1)
        superpixels = flat[: rows * columns].reshape(rows, columns)
        nodes = flat[rows * columns :].reshape(-1, 3)
        self._refuse(tree_fault(superpixels, nodes))
        return Proposals(superpixels, nodes[nodes[:, 2] != PADDING])

    @property
    def boxes(self) -> np.ndarray:
        """(R, F) rows of a ``box`` record.

        Raises:
            BadInputError: a box is not finite, or of a class that does not exist.
        """
        rows = self.data.reshape(-1, len(self.header.attributes["columns"]))
        self._refuse(box_fault(rows, self.header))
        return rows

    def _cut(self, shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
        flat, start, pieces = self.data.reshape(-1), 0, []
        for shape in shapes:
            count = int(np.prod(shape))
            piece = flat[start : start + count]
            pieces.append(
                piece.reshape(shape) if len(piece) == count else np.empty((0,) * len(shape), flat.dtype)
            )
            start += count
        return pieces
