"""The boundary of any union of pieces, without drawing it: which sets of pieces meet at which pixels."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

_BLOCK = 1 << 18  #: sets times unions that are looked at together: what stays in the cache


class BoundarySets:
    """Pixels grouped by the pieces around them.

    A pixel lies on the boundary of a union (dilated minus eroded by a square of side 2 r + 1) exactly if the
    square around it holds a piece that is in the union and one that is not. All that matters is therefore
    which pieces meet there: pixels with equal sets are counted once, and inner pixels of pieces never.

    Args:
        pieces: (h, w) int64, -1 outside; beyond the array lies nothing but outside.
        values: (h, w) weight of each pixel, float; groups whose weights are all 0 are left out.
        radius: r in pixels, at least 1.

    Notes:
        With p pieces a group, one union costs p gathers over the groups: a few hundred to a few thousand in
        place of a dilation and an erosion of all pixels.

    Source:
        Independent; b(.) as in Feng et al., TNNLS 2022.
    """

    def __init__(self, pieces: np.ndarray, values: np.ndarray, radius: int) -> None:
        side = 2 * radius + 1
        low = ndimage.minimum_filter(pieces, side, mode="constant", cval=-1)
        high = ndimage.maximum_filter(pieces, side, mode="constant", cval=-1)
        rows, columns = np.nonzero((low < high) & (values != 0))
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
        width = int((around > -2).sum(1).max(initial=0))
        sets, group = np.unique(around[:, :width], axis=0, return_inverse=True)
        weight = np.bincount(group.reshape(-1), values[rows, columns], minlength=len(sets))
        order = np.argsort(-(sets > -2).sum(1), kind="stable")  # the largest first, so that slices suffice
        self._sets, self.weight = sets[order], weight[order].astype(np.float32)
        self._counts = (self._sets > -2).sum(0).tolist()

    def sums(self, unions: np.ndarray) -> np.ndarray:
        """(N,) float64: the weight on the boundary of each union, given as (S, N) bool columns."""
        # Row -1 is the outside, which no union holds; it is asked for as the last one.
        padded = np.concatenate([unions, np.zeros((1, unions.shape[1]), bool)])
        width = max(1, _BLOCK // max(1, len(self._sets)))
        parts = [self._block(padded[:, k : k + width]) for k in range(0, padded.shape[1], width)]
        return np.concatenate(parts).astype(np.float64)

    def _block(self, padded: np.ndarray) -> np.ndarray:
        some = np.zeros((len(self._sets), padded.shape[1]), bool)
        every = ~some
        for column, n in zip(self._sets.T, self._counts, strict=True):
            rows = padded[column[:n]]
            some[:n] |= rows
            every[:n] &= rows
        some &= ~every
        return self.weight @ some.astype(np.float32)
