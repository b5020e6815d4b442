"""How well a union of pieces fits a map and a box: the terms that a selector can maximise."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from wsstool.errors import UsageError
from wsstool.selection.boundary_sets import BoundarySets
from wsstool.selection.candidates import Candidates

GUIDES = ("contour", "region", "box", "both")


def check_guide(guide: str, threshold: float, radius: int, coverage: float) -> None:
    """Raise UsageError unless the options of an objective are in their ranges."""
    if guide not in GUIDES:
        raise UsageError(f"--set guide={guide}: {', '.join(GUIDES)}")
    if not 0 < threshold <= 1:
        raise UsageError(f"--set threshold={threshold:g}: a share of the map's maximum, in (0, 1]")
    if radius < 1:
        raise UsageError(f"--set radius={radius}: pixels, at least 1")
    if not 0 <= coverage < np.inf:
        raise UsageError(f"--set coverage={coverage:g}: a weight, 0 or more")


class Objective:
    """Scores of unions of the candidates of one box, each in [0, 1].

    With U the union, C the contour pixels, R the region pixels and b(.) the boundary:

    * ``contour``: |C & b(U)| / |C|, the published rule (|C| is constant); with ``f1`` 2 |C & b(U)| /
      (|C| + |b(U)|), which also charges for boundary where there is no contour.
    * ``region``: |U & R| / |U | R|.
    * ``box``: |U| / |box|, the IoU of the union with the box.
    * ``both``: the mean of ``region`` and ``contour``, with the outline of R as the contour.

    ``coverage`` adds w times the share of the box's rows and columns that U touches; the sum is divided by
    1 + w.

    Args:
        found: the candidates.
        prior: (H, W) map of the image, >= 0; what is not a number counts as 0. None: guide ``box``.
        guide, f1, coverage, radius: see above; ``radius`` of the boundary in pixels.
        threshold: C and R are the pixels of at least this share of the map's maximum, (0, 1].

    Attributes:
        empty: the map says nothing in the box (nor ``radius`` pixels around it).
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
        self._f1 = f1
        self._terms = {"contour": ("contour",), "both": ("contour", "region")}.get(guide, (guide,))
        hot = np.zeros(found.pieces.shape, bool)
        if guide != "box":
            if prior is None:
                raise UsageError(f"guide={guide} needs a map for every box")
            peak = float(np.nan_to_num(prior, nan=0.0).max(initial=0))
            if peak > 0:
                hot = found.cut(prior) >= threshold * peak
        self._areas = found.areas.astype(np.float32)
        self._box = self._areas.sum()
        if "region" in self._terms:
            self._hits, self._region = found.sums(hot).astype(np.float32), float(hot.sum())
        if guide == "both":
            hot = outline(hot, radius)
        self.empty = guide != "box" and not hot.any()
        if "contour" in self._terms:
            self._contour = float(hot.sum())
            self._on = BoundarySets(found.pieces, hot.astype(np.float32), radius)
            self._all = BoundarySets(found.pieces, np.ones(hot.shape, np.float32), radius) if f1 else None
        self.touched = _touched(found) if coverage else None

    def scores(self, unions: np.ndarray, touched: np.ndarray | None) -> np.ndarray:
        """(N,) float64 in [0, 1].

        Args:
            unions: (S, N) bool, one column a union.
            touched: (N, L) bool: the rows and columns of the box that each touches; None without coverage.
        """
        values = unions.astype(np.float32)
        sizes = self._areas @ values
        total = np.zeros(unions.shape[1])
        if "contour" in self._terms:
            on = self._on.sums(unions)
            if self._all is not None:
                total += 2 * on / np.maximum(self._contour + self._all.sums(unions), 1)
            else:
                total += on / max(self._contour, 1)
        if "region" in self._terms:
            both = self._hits @ values
            total += both / np.maximum(sizes + self._region - both, 1)
        if "box" in self._terms:
            total += sizes / self._box
        total /= len(self._terms)
        if touched is not None:
            total = (total + self._coverage * touched.mean(1)) / (1 + self._coverage)
        return total


def outline(region: np.ndarray, radius: int) -> np.ndarray:
    """(h, w) bool: the pixels whose square of side 2 * radius + 1 holds the region and something else."""
    side = 2 * radius + 1
    values = region.view(np.uint8)
    low = ndimage.minimum_filter(values, side, mode="constant", cval=0)
    return ndimage.maximum_filter(values, side, mode="constant", cval=0) > low


def _touched(found: Candidates) -> np.ndarray:
    """(P, L) bool: the rows and columns of the box that each candidate touches."""
    inside = found.pieces >= 0
    rows, columns = np.nonzero(inside)
    rows, columns = rows - rows.min(), columns - columns.min()
    lines = np.zeros((len(found.members), rows.max() + 1 + columns.max() + 1), np.float32)
    lines[found.pieces[inside], rows] = 1
    lines[found.pieces[inside], rows.max() + 1 + columns] = 1
    return found.members.T.astype(np.float32) @ lines > 0
