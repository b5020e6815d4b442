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


def blended(
    results: Iterable[torch.Tensor | None], where: Iterable[Window], size: tuple[int, int], cell: int = 1
) -> Iterator[Block]:
    """Join the results of windows into blocks that cover the image without overlap.

    Where two windows are blended, the weights fall linearly from one to the other and sum to 1; at a corner
    four windows meet, with the products of the weights.

    Args:
        results: of each window, (C, h, w) float with one value every ``cell`` pixels.
        where: the windows, in the order of ``windows_of``.
        size: rows and columns of the image.
        cell: pixels per value.

    Yields:
        Blocks in the order of the windows; each value of the result comes once. Values of the lower ramp of
        a row of windows are held until the next row is known: C x overlap / 3 x columns of the image.
    """
    columns = -(-size[1] // cell)
    above: torch.Tensor | None = None  # (C, ramp, columns), what the row of windows above gives this one
    below: torch.Tensor | None = None
    left: torch.Tensor | None = None  # (C, h, ramp), what the window to the left gives this one
    for values, (rows, cols) in zip(results, where, strict=True):
        assert values is not None
        if cols.begin == 0:
            above, below, left = below, None, None
        used = values[:, _cells(rows, cell), _cells(cols, cell)]
        lead, trail = cols.lead // cell, cols.trail // cell
        at = cols.begin // cell
        used, left = _faded(used, 2, lead, trail, left)
        lead, trail = rows.lead // cell, rows.trail // cell
        held = None if above is None or not lead else above[:, :, at : at + used.shape[2]]
        used, rest = _faded(used, 1, lead, trail, held)
        if rest is not None:
            if below is None:
                below = rest.new_empty(rest.shape[0], rest.shape[1], columns)
            below[:, :, at : at + rest.shape[2]] = rest
        yield Block(rows.begin // cell, at, used)


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
