"""Masks: regions as sets of superpixels or pixels, compared by their shared pixels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import numpy as np

from wsstool.nms.shapes import Pairs, Searcher, every_pair, every_pair_across, grid
from wsstool.regions import Proposals


class Masks(ABC):
    """Common base of ``Sets`` and ``Pixels``: exact overlaps from pixel counts, without pruning.

    Args:
        areas: (N,) float64 pixels of each region, integers below 2^53.
        hulls: bounding boxes.
        measure: ``iou`` or ``ios``.
    Raises:
        ValueError: unknown measure.
    Notes:
        Two empty masks do not overlap.
    """

    dtype = np.dtype(np.float64)

    def __init__(self, areas: np.ndarray, hulls: grid.Hulls, measure: str) -> None:
        if measure not in ("iou", "ios"):
            raise ValueError(f"measure '{measure}': give iou or ios for masks")
        self.areas, self.hulls, self.measure = areas, hulls, measure

    def __len__(self) -> int:
        return len(self.areas)

    @abstractmethod
    def take(self, chosen: np.ndarray) -> Self: ...

    @abstractmethod
    def shared(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Return the number of pixels that region i[k] shares with region j[k]."""

    def overlap(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        return self._ratio(self.shared(i, j), self.areas[i], self.areas[j])

    def block(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        i, j = np.repeat(rows, len(columns)), np.tile(columns, len(rows))
        a, b = tuple(h[i] for h in self.hulls), tuple(h[j] for h in self.hulls)
        near = np.flatnonzero((a[0] < b[2]) & (b[0] < a[2]) & (a[1] < b[3]) & (b[1] < a[3]))
        found = np.zeros(len(i))
        found[near] = self.overlap(i[near], j[near])
        return found.reshape(len(rows), len(columns))

    def _ratio(self, shared: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        under = a + b - shared if self.measure == "iou" else np.minimum(a, b)
        return np.divide(shared, under, out=np.zeros(shared.shape), where=under > 0)

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


class Sets(Masks):
    """Regions as unions of atoms (superpixels) with an area each.

    Args:
        members: (N, S) bool, which atoms each region contains.
        areas: (S,) pixels of each atom.
        measure: ``iou`` or ``ios``.
    """

    def __init__(self, members: np.ndarray, areas: np.ndarray, measure: str = "iou") -> None:
        self.members, self.atoms = members, areas
        exact = np.float32 if areas.sum() < 1 << 24 else np.float64
        self._held = members.astype(exact)
        self._weighted = self._held * areas.astype(exact)
        whole = self._weighted.sum(1, dtype=np.float64)
        # The positions of the atoms are unknown: any two regions may overlap.
        nothing, one = np.zeros(len(whole)), np.ones(len(whole))
        super().__init__(whole, (nothing, nothing, one, one), measure)

    @classmethod
    def of_proposals(cls, proposals: Proposals, measure: str = "iou") -> Sets:
        areas = np.bincount(
            proposals.superpixels.reshape(-1).astype(np.int64), minlength=proposals.n_superpixels
        )
        return cls(proposals.members(), areas, measure)

    def take(self, chosen: np.ndarray) -> Sets:
        return Sets(self.members[chosen], self.atoms, self.measure)

    def shared(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        found = np.zeros(len(i))
        for first in range(0, len(i), 4096):
            part = slice(first, first + 4096)
            found[part] = np.einsum("ps,ps->p", self._weighted[i[part]], self._held[j[part]])
        return found

    def block(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        shared = (self._weighted[rows] @ self._held[columns].T).astype(np.float64)
        return self._ratio(shared, self.areas[rows][:, None], self.areas[columns])


class Pixels(Masks):
    """Masks of one image, one bit per pixel; only masks whose hulls intersect are compared.

    Args:
        masks: (N, H, W) bool.
        measure: ``iou`` or ``ios``.
    """

    def __init__(self, masks: np.ndarray, measure: str = "iou") -> None:
        count, rows, columns = masks.shape
        down, right = np.logical_or.reduce(masks, 2), np.logical_or.reduce(masks, 1)
        some = np.logical_or.reduce(down, 1)
        y1, x1 = down.argmax(1) if rows else np.zeros(count), right.argmax(1) if columns else np.zeros(count)
        y2 = np.where(some, rows - (down[:, ::-1].argmax(1) if rows else 0), 0)
        x2 = np.where(some, columns - (right[:, ::-1].argmax(1) if columns else 0), 0)
        left, top, end, bottom = (np.where(some, side, 0).astype(np.float64) for side in (x1, y1, x2, y2))
        super().__init__(masks.sum((1, 2)).astype(np.float64), (left, top, end, bottom), measure)
        self.bits = np.packbits(masks.reshape(count, rows * columns), axis=1)

    def take(self, chosen: np.ndarray) -> Pixels:
        one = Pixels.__new__(Pixels)
        left, top, end, bottom = (side[chosen] for side in self.hulls)
        Masks.__init__(one, self.areas[chosen], (left, top, end, bottom), self.measure)
        one.bits = self.bits[chosen]
        return one

    def shared(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        found = np.zeros(len(i))
        step = max(1, (1 << 22) // max(1, self.bits.shape[1]))
        for first in range(0, len(i), step):
            part = slice(first, first + step)
            found[part] = _ONES[self.bits[i[part]] & self.bits[j[part]]].sum(1, dtype=np.int64)
        return found


_ONES = np.array([bin(k).count("1") for k in range(256)], np.uint8)
