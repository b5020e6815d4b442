"""The objectives that a selector can maximise: how well a union of pieces fits a map and a box."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.sparse import csr_matrix

from wsstool.errors import UsageError
from wsstool.selection.selectors.boundary_sets import Additions, BoundarySets
from wsstool.selection.selectors.candidates import Candidates

GUIDES = ("contour", "region", "box", "both")


def check_guide(guide: str, threshold: float, radius: int, coverage: float) -> None:
    """Raise UsageError unless the options of an objective are in their ranges."""
    if guide not in GUIDES:
        raise UsageError(f"--set guide={guide}: give one of {', '.join(GUIDES)}")
    if not 0 < threshold <= 1:
        raise UsageError(f"--set threshold={threshold:g}: give a fraction of the map maximum in (0, 1]")
    if not 1 <= radius <= 32:
        raise UsageError(f"--set radius={radius}: give a number of pixels from 1 to 32")
    if not 0 <= coverage < np.inf:
        raise UsageError(f"--set coverage={coverage:g}: give a weight of at least 0")


class Objective:
    """Scores of unions of the candidates of one box, each in [0, 1].

    With U the union, C the contour pixels, R the region pixels and b(.) the boundary:

    * ``contour``: |C & b(U)| / |C|, as published (|C| is fixed); with ``f1`` 2 |C & b(U)| / (|C| + |b(U)|),
      which also penalises boundary where there is no contour.
    * ``region``: |U & R| / |U | R|.
    * ``box``: |U| / |box|, the IoU of the union with the box.
    * ``both``: the mean of ``region`` and ``contour``, with the outline of R as the contour.

    ``coverage`` adds w times the share of the box's rows and columns that U touches; the sum is divided by
    1 + w.

    Args:
        found: the candidates.
        prior: (H, W) map of the image, >= 0; NaN counts as 0. None: guide ``box``.
        guide, f1, coverage, radius: see above; ``radius`` of the boundary in pixels.
        threshold: C and R are the pixels of at least this share of the map's maximum, (0, 1].

    Attributes:
        empty: the map is empty in the box (and ``radius`` pixels around it).
    """

    def __init__(
        self,
        found: Candidates,
        prior: np.ndarray | None,
        *,
        guide: str,
        f1: bool,
        coverage: float,
        threshold: float,
        radius: int,
    ) -> None:
        self.members, self._coverage = found.members, coverage
        self._terms = {"contour": ("contour",), "both": ("contour", "region")}.get(guide, (guide,))
        hot = np.zeros(found.pieces.shape, bool)
        if guide != "box":
            if prior is None:
                raise UsageError(f"guide={guide} needs a map for every box")
            peak = float(np.nan_to_num(prior, nan=0.0).max(initial=0))
            if peak > 0:
                hot = found.cut(prior) >= threshold * peak
        areas = found.areas.astype(np.float32)
        self._box = areas.sum()
        self._region = float(hot.sum())
        self._counts: np.ndarray | None = None  # (2, S) pixels of each piece, and those in the region
        if guide != "contour":
            self._counts = np.stack([areas, found.sums(hot).astype(np.float32)])
        if guide == "both":
            hot = outline(hot, radius)
        self.empty = guide != "box" and not hot.any()
        self._contour, self._boundary = float(hot.sum()), None  # weights: on the contour; with f1 also all
        if "contour" in self._terms:
            values = np.stack([hot, np.ones_like(hot)] if f1 else [hot]).astype(np.float32)
            self._boundary = BoundarySets(found.pieces, values, radius)
        self.touched = _touched(found) if coverage else None

    def scores(self, unions: np.ndarray, touched: np.ndarray | None) -> np.ndarray:
        """Score unions, (N,) float64 in [0, 1].

        Args:
            unions: (S, N) bool, one column per union.
            touched: (N, L) bool: rows and columns of the box that each touches; None without coverage.
        """
        edges = self._boundary.sums(unions) if self._boundary is not None else None
        pixels = self._counts @ unions.astype(np.float32) if self._counts is not None else None
        return self._joined(pixels, edges, touched.mean(1) if touched is not None else None)

    def _joined(
        self, pixels: np.ndarray | None, edges: np.ndarray | None, touched: np.ndarray | None
    ) -> np.ndarray:
        """Combine the terms into the (N,) scores of unions.

        Args:
            pixels: (2, N) float32, all of each union and those in the region.
            edges: (K, N), boundary pixels on the contour, and all.
            touched: (N,), share of the box's rows and columns.
        """
        terms = []
        if edges is not None:
            among = np.maximum(self._contour + edges[1], 1) / 2 if len(edges) > 1 else max(self._contour, 1)
            terms.append(edges[0] / among)
        if pixels is not None:
            sizes, hits = pixels
            is_region = "region" in self._terms
            terms.append(
                hits / np.maximum(sizes + self._region - hits, 1) if is_region else sizes / self._box
            )
        total: np.ndarray = np.stack(terms).sum(0, np.float64) / len(terms)
        if touched is not None:
            total = (total + self._coverage * touched) / (1 + self._coverage)
        return total


class WithEach:
    """Scores of a union joined with each candidate, where the union changes by one candidate at a time.

    Args:
        goal: the objective.
        members: (S, N) bool, one column per candidate.
        touched: (N, L) bool, see ``Objective``.
    """

    def __init__(self, goal: Objective, members: np.ndarray, touched: np.ndarray | None) -> None:
        self._goal, self._touched = goal, None if touched is None else touched.astype(np.float32)
        self._members = members.astype(np.float32) if goal._counts is not None else None
        self._boundary = Additions(goal._boundary, members) if goal._boundary is not None else None

    def scores(self, union: np.ndarray, lines: np.ndarray | None = None) -> np.ndarray:
        """Return (N,) float64: ``Objective.scores`` of ``members | union``.

        Args:
            union: (S,) bool.
            lines: (L,) bool, the rows and columns that the union touches.
        """
        goal = self._goal
        pixels, counts = None, goal._counts
        if counts is not None and self._members is not None:
            pixels = np.where(union, np.float32(0), counts) @ self._members + counts[:, union].sum(1)[:, None]
        edges = self._boundary.sums(union) if self._boundary is not None else None
        touched = None
        if self._touched is not None:
            known = np.zeros(self._touched.shape[1], bool) if lines is None else lines
            touched = (self._touched @ (~known).astype(np.float32) + known.sum()).astype(float) / len(known)
        return goal._joined(pixels, edges, touched)


def outline(region: np.ndarray, radius: int) -> np.ndarray:
    """Return (h, w) bool: pixels whose square of side 2 * radius + 1 contains region and non-region."""
    side = 2 * radius + 1
    values = region.view(np.uint8)
    low = ndimage.minimum_filter(values, side, mode="constant", cval=0)
    return ndimage.maximum_filter(values, side, mode="constant", cval=0) > low


def _touched(found: Candidates) -> np.ndarray:
    """Return (P, L) bool: the rows and columns of the box that each candidate touches."""
    inside = found.pieces >= 0
    rows, columns = np.nonzero(inside)
    rows, columns = rows - rows.min(), columns - columns.min()
    lines = np.zeros((len(found.members), rows.max() + 1 + columns.max() + 1), np.int32)
    lines[found.pieces[inside], rows] = 1
    lines[found.pieces[inside], rows.max() + 1 + columns] = 1
    return (csr_matrix(found.members.T, dtype=np.int32) @ csr_matrix(lines)).toarray() > 0  # both are sparse
