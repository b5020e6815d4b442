"""Masks: regions as sets of superpixels or pixels, compared by the pixels that they share."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from wsstool.nms import grid
from wsstool.nms.shapes import Pairs, Searcher, Tile, every_pair, every_pair_across, every_tile
from wsstool.regions import Proposals


class Sets:
    """Regions as unions of atoms (superpixels) with an area each, compared by ``iou`` or ``ios``.

    Args:
        members: (N, S) bool, which atoms each region holds.
        areas: (S,) pixels of each atom.
        measure: ``iou`` or ``ios``.
    Notes:
        Two empty masks do not overlap. Areas are whole numbers below 2^53, so that overlaps are exact.
    """

    dtype = np.dtype(np.float64)

    def __init__(self, members: np.ndarray, areas: np.ndarray, measure: str = "iou") -> None:
        if measure not in ("iou", "ios"):
            raise ValueError(f"measure '{measure}': masks have iou and ios")
        self.members, self.atoms, self.measure = members, areas, measure
        exact = np.float32 if areas.sum() < 1 << 24 else np.float64
        self._held = members.astype(exact)
        self._weighted = self._held * areas.astype(exact)
        self.areas = self._weighted.sum(1, dtype=np.float64)

    @classmethod
    def of_proposals(cls, proposals: Proposals, measure: str = "iou") -> Sets:
        areas = np.bincount(
            proposals.superpixels.reshape(-1).astype(np.int64), minlength=proposals.n_superpixels
        )
        return cls(proposals.members(), areas, measure)

    def __len__(self) -> int:
        return len(self.areas)

    def take(self, chosen: np.ndarray) -> Sets:
        return Sets(self.members[chosen], self.atoms, self.measure)

    def _ratio(self, shared: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        shared = shared.astype(np.float64)
        under = a + b - shared if self.measure == "iou" else np.minimum(a, b)
        return np.divide(shared, under, out=np.zeros(shared.shape), where=under > 0)

    def overlap(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        shared = np.zeros(len(i))
        for first in range(0, len(i), 4096):
            part = slice(first, first + 4096)
            shared[part] = np.einsum("ps,ps->p", self._weighted[i[part]], self._held[j[part]])
        return self._ratio(shared, self.areas[i], self.areas[j])

    def block(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        shared = self._weighted[rows] @ self._held[columns].T
        return self._ratio(shared, self.areas[rows][:, None], self.areas[columns])

    def tiles(self, rows: np.ndarray, columns: np.ndarray) -> Iterator[Tile]:
        yield from every_tile(self, rows, columns)

    def cost(self, group: np.ndarray, n_groups: int, above: float) -> int:
        return len(self) ** 2

    def pairs(self, group: np.ndarray, n_groups: int, above: float) -> Pairs:
        return every_pair(self, group, above)

    def searcher(self, columns: np.ndarray, group: np.ndarray, n_groups: int, above: float) -> Searcher:
        return lambda rows, waiting=None: every_pair_across(self, rows, columns, group, above, waiting)

    def across(
        self, rows: np.ndarray, columns: np.ndarray, group: np.ndarray, n_groups: int, above: float
    ) -> Pairs:
        return every_pair_across(self, rows, columns, group, above)


class Pixels:
    """Masks of one image, a bit a pixel; only those whose bounding boxes touch are compared.

    Args:
        masks: (N, H, W) bool.
        measure: ``iou`` or ``ios``.
    """

    dtype = np.dtype(np.float64)

    def __init__(self, masks: np.ndarray, measure: str = "iou") -> None:
        if measure not in ("iou", "ios"):
            raise ValueError(f"measure '{measure}': masks have iou and ios")
        count, rows, columns = masks.shape
        down, right = np.logical_or.reduce(masks, 2), np.logical_or.reduce(masks, 1)
        some = np.logical_or.reduce(down, 1)
        y1, x1 = down.argmax(1) if rows else np.zeros(count), right.argmax(1) if columns else np.zeros(count)
        y2 = np.where(some, rows - (down[:, ::-1].argmax(1) if rows else 0), 0)
        x2 = np.where(some, columns - (right[:, ::-1].argmax(1) if columns else 0), 0)
        hulls = tuple(np.where(some, side, 0).astype(np.float64) for side in (x1, y1, x2, y2))
        bits = np.packbits(masks.reshape(count, rows * columns), axis=1)
        self._hold(bits, masks.reshape(count, -1).sum(1).astype(np.float64), hulls, measure)

    def _hold(self, bits: np.ndarray, areas: np.ndarray, hulls: tuple[np.ndarray, ...], measure: str) -> None:
        self.bits, self.areas, self.measure = bits, areas, measure
        self.hulls: grid.Hulls = (hulls[0], hulls[1], hulls[2], hulls[3])

    def __len__(self) -> int:
        return len(self.areas)

    def take(self, chosen: np.ndarray) -> Pixels:
        one = Pixels.__new__(Pixels)
        hulls = tuple(side[chosen] for side in self.hulls)
        one._hold(self.bits[chosen], self.areas[chosen], hulls, self.measure)
        return one

    def overlap(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        shared = np.zeros(len(i))
        step = max(1, (1 << 22) // max(1, self.bits.shape[1]))
        for first in range(0, len(i), step):
            part = slice(first, first + step)
            shared[part] = _ONES[self.bits[i[part]] & self.bits[j[part]]].sum(1, dtype=np.int64)
        a, b = self.areas[i], self.areas[j]
        under = a + b - shared if self.measure == "iou" else np.minimum(a, b)
        return np.divide(shared, under, out=np.zeros(len(i)), where=under > 0)

    def block(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        i, j = np.repeat(rows, len(columns)), np.tile(columns, len(rows))
        a, b = tuple(h[i] for h in self.hulls), tuple(h[j] for h in self.hulls)
        near = np.flatnonzero((a[0] < b[2]) & (b[0] < a[2]) & (a[1] < b[3]) & (b[1] < a[3]))
        found = np.zeros(len(i))
        found[near] = self.overlap(i[near], j[near])
        return found.reshape(len(rows), len(columns))

    def tiles(self, rows: np.ndarray, columns: np.ndarray) -> Iterator[Tile]:
        yield from every_tile(self, rows, columns)

    def cost(self, group: np.ndarray, n_groups: int, above: float) -> int:
        return len(self) ** 2

    def pairs(self, group: np.ndarray, n_groups: int, above: float) -> Pairs:
        return every_pair(self, group, above)

    def searcher(self, columns: np.ndarray, group: np.ndarray, n_groups: int, above: float) -> Searcher:
        return lambda rows, waiting=None: every_pair_across(self, rows, columns, group, above, waiting)

    def across(
        self, rows: np.ndarray, columns: np.ndarray, group: np.ndarray, n_groups: int, above: float
    ) -> Pairs:
        return every_pair_across(self, rows, columns, group, above)


_ONES = np.array([bin(k).count("1") for k in range(256)], np.uint8)
