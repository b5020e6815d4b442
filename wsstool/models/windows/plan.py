"""Where the windows of a large image lie, and which part of each counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from wsstool.errors import UsageError

DEFAULT_WINDOW = 1024

_FINEST = 16
"""Scales are taken for fractions with denominators up to this, to find positions that fit every scale."""


class Span(NamedTuple):
    """One window along one axis, in pixels.

    Attributes:
        first, end: what the network sees.
        begin, stop: what is used of its result, with the ramps.
        lead, trail: lengths of the ramps at the beginning and the end of what is used; 0 at the image border.
    """

    first: int
    end: int
    begin: int
    stop: int
    lead: int
    trail: int


class Window(NamedTuple):
    """A window of an image; ``rows`` and ``columns`` say where it lies and what of it counts."""

    rows: Span
    columns: Span

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns that the network sees."""
        return self.rows.end - self.rows.first, self.columns.end - self.columns.first

    @property
    def weight(self) -> float:
        """Sum of the weights of its pixels in the blended result."""
        sides = [s.stop - s.begin - (s.lead + s.trail) / 2 for s in self]
        return sides[0] * sides[1]


@dataclass(frozen=True)
class Windows:
    """Overlapping windows over images of any size.

    Every window begins at a multiple of ``step`` from the image's top left corner. Of the pixels that two
    neighbours share, the outer third of each is thrown away, since the network saw nothing beyond its
    window's border there, and the middle third is blended linearly.

    Attributes:
        window: side of a window, pixels; a multiple of ``step``.
        overlap: pixels that neighbours share at least; a multiple of ``step``, at most half the window.
        step: a number of pixels.
        cell: the result has one value every ``cell`` pixels; a divisor of ``step``.
    """

    window: int
    overlap: int
    step: int = 1
    cell: int = 1

    @property
    def ramp(self) -> int:
        """Pixels over which neighbours are blended, a multiple of ``cell``."""
        return self.overlap // 3 // self.cell * self.cell

    @property
    def margin(self) -> int:
        """Pixels at the border of a window, inside the image, that do not count."""
        return (self.overlap - self.ramp) // 2 // self.cell * self.cell

    def along(self, n: int) -> list[Span]:
        """Return the windows along an axis of ``n`` pixels, in order.

        The last one ends where the image does, so it may be up to ``step - 1`` pixels shorter and share more
        with its neighbour.

        >>> [(s.first, s.end, s.begin, s.stop) for s in Windows(12, 6).along(20)]
        [(0, 12, 0, 10), (6, 18, 8, 14), (8, 20, 12, 20)]
        >>> Windows(12, 6).along(7)
        [Span(first=0, end=7, begin=0, stop=7, lead=0, trail=0)]
        """
        last = max(0, -(-(n - self.window) // self.step) * self.step)
        stride = self.window - self.overlap
        starts = [*range(0, last, stride), last]
        ends = [min(n, start + self.window) for start in starts]
        ramps = []
        for end, following in zip(ends, starts[1:], strict=False):
            margin = (end - following - self.ramp) // 2 // self.cell * self.cell
            ramps.append((following + margin, following + margin + self.ramp))
        begins, leads = [0], [0]
        stops, trails = [], []
        for begin, stop in ramps:
            begins.append(begin)
            leads.append(stop - begin)
            stops.append(stop)
            trails.append(stop - begin)
        return [
            Span(*one) for one in zip(starts, ends, begins, [*stops, n], leads, [*trails, 0], strict=True)
        ]

    def count(self, size: Sequence[int]) -> int:
        """Return the number of windows over an image of (rows, columns) ``size``."""
        return math.prod(len(self.along(n)) for n in size)


def windows_of(windows: Windows, size: tuple[int, int]) -> list[Window]:
    """Return the windows over an image of (rows, columns) ``size``, row by row."""
    return [Window(rows, columns) for rows in windows.along(size[0]) for columns in windows.along(size[1])]


def plan_windows(
    window: int | None,
    overlap: int | None,
    *,
    multiple: int = 1,
    scales: Sequence[float] = (1.0,),
    cells: Sequence[int] = (1,),
) -> Windows:
    """Round the sides of windows so that the network's grid lies in each as in the whole image.

    Args:
        window: side in pixels; None: ``DEFAULT_WINDOW``, or four steps if that is more.
        overlap: pixels that neighbours share; None: a quarter of the window.
        multiple: pixels per cell of the network's coarsest map: windows are moved by multiples of it, at
            every scale.
        scales: at which the network sees the image.
        cells: pixels per value of each result.

    Returns:
        The windows; sides are rounded up.

    Raises:
        UsageError: the overlap is more than half the window, after rounding.

    Example:
        >>> plan_windows(1000, 200, multiple=16, scales=(0.5, 1.0))
        Windows(window=1024, overlap=224, step=32, cell=1)
    """
    parts = [Fraction(scale).limit_denominator(_FINEST).denominator for scale in scales]
    step = math.lcm(multiple * math.lcm(*parts), *cells)
    side = max(DEFAULT_WINDOW, 4 * step) if window is None else window
    side = max(1, -(-side // step)) * step
    if overlap is None:
        shared = max(side // 4 // step, min(1, side // 2 // step)) * step
    else:
        shared = -(-overlap // step) * step
    if 2 * shared > side:
        given = "" if (side, shared) == (window, overlap) else f" (in steps of {step}: {shared} of {side})"
        raise UsageError(
            f"--overlap {overlap} is more than half of --window {window or DEFAULT_WINDOW}{given}: a window "
            "must not meet the next but one"
        )
    return Windows(side, shared, step, math.lcm(*cells))
