"""Join the results of overlapping windows, with a strip of one row of windows in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import torch

from wsstool.models.windows.plan import Span, Window, Windows, windows_of


class Block(NamedTuple):
    """A finished part of the result: (C, h, w) ``values`` from cell (``top``, ``left``) on."""

    top: int
    left: int
    values: torch.Tensor


class Blender:
    """Joins the results of windows, one after the other, into blocks that cover an image without overlap.

    Where two windows are blended, the weights fall linearly from one to the other and sum to 1; at a corner
    four windows meet, with the products of the weights. Values of the lower ramp of a row of windows are held
    until the next row is known: C x overlap / 3 x columns of the image.

    Args:
        size: rows and columns of the image.
        cell: pixels per value of the results.
    """

    def __init__(self, size: tuple[int, int], cell: int = 1) -> None:
        self._columns, self._cell = -(-size[1] // cell), cell
        self._above: torch.Tensor | None = None  # (C, ramp, columns): what the row of windows above gives
        self._below: torch.Tensor | None = None  # likewise, for the next row
        self._left: torch.Tensor | None = None  # (C, h, ramp): what the window to the left gives

    def add(self, values: torch.Tensor, window: Window) -> Block:
        """Take the result of the next window, in the order of ``windows_of``, and return what is finished.

        Args:
            values: (C, h, w) float, one value every ``cell`` pixels of the window.
            window: where it lies.

        Returns:
            A block; each value of the image's result comes once.
        """
        (rows, columns), cell = window, self._cell
        if columns.begin == 0:
            self._above, self._below, self._left = self._below, None, None
        used = values[:, _cells(rows, cell), _cells(columns, cell)]
        used, self._left = _faded(used, 2, columns.lead // cell, columns.trail // cell, self._left)
        at = columns.begin // cell
        here = slice(at, at + used.shape[2])
        held = self._above[:, :, here] if rows.lead and self._above is not None else None
        used, rest = _faded(used, 1, rows.lead // cell, rows.trail // cell, held)
        if rest is not None:
            if self._below is None:
                self._below = rest.new_empty(rest.shape[0], rest.shape[1], self._columns)
            self._below[:, :, here] = rest
        return Block(rows.begin // cell, at, used)


def blended(
    results: Iterable[torch.Tensor], where: Iterable[Window], size: tuple[int, int], cell: int = 1
) -> Iterator[Block]:
    """Yield the finished block after each window; arguments as in ``Blender``.

    Args:
        results: of each window, (C, h, w) float.
        where: the windows, in the order of ``windows_of``.
        size, cell: see ``Blender``.
    """
    blender = Blender(size, cell)
    for values, window in zip(results, where, strict=True):
        yield blender.add(values, window)


def _cells(span: Span, cell: int) -> slice:
    return slice((span.begin - span.first) // cell, -((span.first - span.stop) // cell))


def _faded(
    values: torch.Tensor, axis: int, lead: int, trail: int, held: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Add what a neighbour gave at the beginning of an axis, and split off what the next one gets."""
    n, rest = values.shape[axis], None
    if trail:
        rest = values.narrow(axis, n - trail, trail) * (1 - _rising(trail, axis, values))
        values = values.narrow(axis, 0, n - trail)
    if lead:
        assert held is not None
        first = values.narrow(axis, 0, lead) * _rising(lead, axis, values) + held
        values = torch.cat([first, values.narrow(axis, lead, values.shape[axis] - lead)], axis)
    return values, rest


def _rising(n: int, axis: int, like: torch.Tensor) -> torch.Tensor:
    """Weights at the centres of ``n`` values, from almost 0 to almost 1."""
    weights = (torch.arange(n, device=like.device, dtype=like.dtype) + 0.5) / n
    return weights[:, None] if axis == 1 else weights


def over_image(
    compute: Callable[[Window], torch.Tensor], windows: Windows, size: tuple[int, int]
) -> torch.Tensor:
    """Return the (C, h, w) result of an image whose windows give ``compute``, whole; for small results.

    Example:
        >>> image = torch.arange(35.0).reshape(1, 5, 7)
        >>> def seen(w):
        ...     return image[:, w.rows.first : w.rows.end, w.columns.first : w.columns.end]
        >>> torch.allclose(over_image(seen, Windows(4, 2), (5, 7)), image)
        True
    """
    where = windows_of(windows, size)
    whole: torch.Tensor | None = None
    grid = [-(-n // windows.cell) for n in size]
    for top, left, values in blended(map(compute, where), where, size, windows.cell):
        if whole is None:
            whole = values.new_empty(values.shape[0], *grid)
        whole[:, top : top + values.shape[1], left : left + values.shape[2]] = values
    assert whole is not None
    return whole
