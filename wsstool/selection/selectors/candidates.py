"""The proposals in a box, clipped to it and represented by the pieces of the image that they contain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wsstool.regions import Proposals, pixel_bounds, proposal_areas


@dataclass(frozen=True)
class Candidates:
    """The choices of a selector: each proposal is a set of pieces.

    Args:
        pieces: (h, w) int64 over the box and ``margin`` pixels around it: superpixels cut by the box,
            numbered from 0; -1 outside the box.
        area: slices of the image that ``pieces`` covers.
        members: (S, P) bool: the pieces of each candidate, one column per candidate.
        indices: (P,) int64, their proposal numbers, rising.
    """

    pieces: np.ndarray
    area: tuple[slice, slice]
    members: np.ndarray
    indices: np.ndarray

    def __len__(self) -> int:
        return len(self.indices)

    def cut(self, values: np.ndarray) -> np.ndarray:
        """Return the part of an (H, W) map that ``pieces`` covers, as float32; NaN becomes 0."""
        return np.nan_to_num(np.asarray(values[self.area], np.float32), nan=0.0)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Return (S,) float64: the sum of an (h, w) map over each piece."""
        inside = self.pieces >= 0
        return np.bincount(self.pieces[inside], values[inside], minlength=len(self.members))

    @property
    def areas(self) -> np.ndarray:
        """Return the pixels of each piece, (S,)."""
        return self.sums(np.ones(self.pieces.shape))


def candidates(proposals: Proposals, box: np.ndarray, *, inside: float = 0.9, margin: int = 1) -> Candidates:
    """Return the proposals that lie in a box, each clipped to it.

    A proposal that leaks by one pixel must not be lost, so only a share of its pixels has to be inside. Of
    proposals that are equal after clipping the first is kept.

    Args:
        proposals: of the whole image.
        box: (4,) xyxy in pixels.
        inside: minimum share of a proposal's pixels in the box, (0, 1]; 1 is the published constraint.
        margin: pixels around the box in which boundaries count, at least 0.

    Source:
        Feng et al., TNNLS 2022, "all p_i inside the box". Written from reading notes; the tolerance is ours.
    """
    size = proposals.superpixels.shape
    x0, y0, x1, y1 = pixel_bounds(box, size)
    top, left = max(0, y0 - margin), max(0, x0 - margin)
    area = slice(top, min(size[0], y1 + margin)), slice(left, min(size[1], x1 + margin))
    within = proposals.superpixels[y0:y1, x0:x1]
    present = np.bincount(within.reshape(-1)) > 0
    there, numbered = np.flatnonzero(present), (np.cumsum(present) - 1)[within]
    pieces = np.full((area[0].stop - top, area[1].stop - left), -1, np.int64)
    pieces[y0 - top : y1 - top, x0 - left : x1 - left] = numbered
    if not len(proposals) or not within.size:
        return Candidates(pieces, area, np.zeros((len(there), 0), bool), np.zeros(0, np.int64))
    members = proposals.members()
    held = members[:, there]
    in_box = held @ np.bincount(numbered.reshape(-1), minlength=len(there)).astype(np.float64)
    indices = np.flatnonzero((in_box > 0) & (in_box >= inside * proposal_areas(proposals)))
    known: dict[bytes, int] = {}
    for index, row in zip(indices.tolist(), np.packbits(held[indices], axis=1), strict=True):
        known.setdefault(row.tobytes(), index)
    indices = np.array(list(known.values()), np.int64)
    return Candidates(pieces, area, np.ascontiguousarray(held[indices].T), indices)
