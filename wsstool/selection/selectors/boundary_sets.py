"""The boundary of any union of pieces without rasterising it, from the sets of pieces that meet at pixels."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

_BLOCK = 1 << 15  #: sets times eight unions processed together: what stays in the cache


class BoundarySets:
    """Pixels grouped by the pieces around them.

    A pixel lies on the boundary of a union (dilated minus eroded by a square of side 2 r + 1) exactly if the
    square around it contains a piece of the union and one outside it. So only the set of pieces that meet
    there matters: pixels with equal sets are counted once, and inner pixels of pieces never.

    Args:
        pieces: (h, w) int64, -1 outside; everything beyond the array is outside.
        values: (K, h, w) float, K weights of each pixel; pixels without any are left out.
        radius: r in pixels, at least 1.

    Notes:
        With p pieces per group, one union costs p gathers over the groups: a few hundred to a few thousand
        instead of a dilation and an erosion of all pixels.

    Source:
        Independent; b(.) as in Feng et al., TNNLS 2022.
    """

    def __init__(self, pieces: np.ndarray, values: np.ndarray, radius: int) -> None:
        side = 2 * radius + 1
        low = ndimage.minimum_filter(pieces, side, mode="constant", cval=-1)
        high = ndimage.maximum_filter(pieces, side, mode="constant", cval=-1)
        rows, columns = np.nonzero((low < high) & (values != 0).any(0))
        padded = np.pad(pieces, radius, constant_values=-1)
        around = np.stack(
            [padded[rows + i, columns + j] for i in range(side) for j in range(side)]
            if len(rows)
            else [np.zeros(0, np.int64)] * side**2,
            axis=1,
        )
        around.sort(axis=1)
        around[:, 1:][around[:, 1:] == around[:, :-1]] = -2  # each piece once; -2: no piece
        around.sort(axis=1)
        around = around[:, ::-1]
        sizes = (around > -2).sum(1)
        group, first = _numbered(around[:, : int(sizes.max(initial=0))])
        weight = np.stack([np.bincount(group, one[rows, columns], len(first)) for one in values])
        order = np.argsort(-sizes[first], kind="stable")  # the largest first, so that slices suffice
        self._outside = int(pieces.max(initial=-1)) + 1
        # -1, the outside, becomes the row after all pieces, which no union contains; -2 is never looked up.
        self._sets = np.where(around < 0, self._outside, around)[first[order], : int(sizes.max(initial=0))]
        self._sizes, self.weight = sizes[first[order]], weight[:, order].astype(np.float32)

    def sums(self, unions: np.ndarray) -> np.ndarray:
        """Return (K, N) float64: the weights on the boundary of each union, given as (S, N) bool columns."""
        return self._sums(np.arange(len(self._sets)), self._packed(unions), None, unions.shape[1])

    def _packed(self, unions: np.ndarray) -> np.ndarray:
        """Return (S + 2, N / 8) uint8: eight unions per byte; then a row in no union, and one in all."""
        packed = np.packbits(unions[: self._outside], axis=1)
        ends = np.zeros((2, packed.shape[1]), np.uint8)
        ends[1] = 255
        return np.concatenate([packed, ends])

    def _sums(
        self, groups: np.ndarray, packed: np.ndarray, union: np.ndarray | None, count: int
    ) -> np.ndarray:
        """Return (K, N) float64: the weights of these groups on the boundary of each union | ``union``."""
        sets, sizes, weight = self._sets[groups], self._sizes[groups], self.weight[:, groups]
        if union is not None:
            held = np.concatenate([union[: self._outside], [False, True]])
            sets = np.where(held[sets], self._outside + 1, sets)
        ends = (sizes[:, None] > np.arange(sets.shape[1])).sum(0).tolist()
        found = np.zeros((len(weight), packed.shape[1] * 8))
        width = max(1, _BLOCK // max(1, len(sets)))  # in bytes
        for start in range(0, packed.shape[1], width):
            part = packed[:, start : start + width]
            some = np.zeros((len(sets), part.shape[1]), np.uint8)
            every = ~some
            for column, n in zip(sets.T, ends, strict=True):
                rows = part[column[:n]]
                some[:n] |= rows
                every[:n] &= rows
            some &= ~every
            bits = np.unpackbits(some, axis=1)
            found[:, start * 8 : start * 8 + bits.shape[1]] = weight @ bits.astype(np.float32)
        return found[:, :count]


class Additions:
    """Boundary weights of a union U joined with each of many candidates, updated as U changes.

    A group of pixels that U does not touch counts as for the candidate alone, and one whose pieces are all in
    U never counts. So only the groups on the boundary of U are evaluated, and of the others those that U
    begins or ceases to touch.

    Args:
        sets: the groups.
        candidates: (S, N) bool, one column per candidate.
    """

    def __init__(self, sets: BoundarySets, candidates: np.ndarray) -> None:
        self._of, self._count = sets, candidates.shape[1]
        self._packed = sets._packed(candidates)
        self._alone = sets.sums(candidates)
        self._touched = np.zeros(len(sets._sets), bool)
        self._beside = np.zeros_like(self._alone)  # per candidate alone, in the groups that U touches

    def sums(self, union: np.ndarray) -> np.ndarray:
        """Return (K, N) float64: ``BoundarySets.sums`` of ``candidates | union``, U as (S,) bool."""
        sets = self._of
        held = np.concatenate([union[: sets._outside], [False]])[sets._sets]
        held &= sets._sizes[:, None] > np.arange(held.shape[1])
        inside = held.sum(1)
        touched = inside > 0
        for groups, sign in ((touched & ~self._touched, 1), (self._touched & ~touched, -1)):
            self._beside += sign * sets._sums(np.flatnonzero(groups), self._packed, None, self._count)
        self._touched = touched
        edge = np.flatnonzero(touched & (inside < sets._sizes))
        return self._alone - self._beside + sets._sums(edge, self._packed, union, self._count)


def _numbered(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the (R, C) rows of integers from -2, equal rows alike; return (R,) numbers and examples."""
    number = np.zeros(len(rows), np.int64)
    first = np.zeros(min(1, len(rows)), np.int64)
    for column in rows.T:
        keys = number * (int(column.max(initial=0)) + 3) + column + 2
        _, first, number = np.unique(keys, return_index=True, return_inverse=True)
    return number, first
