"""Outputs of transformer layers as feature maps, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

MOST_OTHERS = 16
"""Largest number of class and register tokens."""


class TokenMap(NamedTuple):
    """A feature map (B,F,h,w), and the function that puts one like it back in place of the output."""

    map: Tensor
    back: Callable[[Tensor], Tensor]


def token_map(output: Tensor, grids: Iterable[tuple[int, int]]) -> TokenMap | None:
    """Return the output of a layer as a map, if it has one value per cell of one of the grids.

    Args:
        output: (B,F,h,w), (B,h,w,F), or (B,T,F) with the tokens of the cells after class and register tokens.
        grids: possible (h,w), the finest first.

    Returns:
        None if the output fits none of the grids. ``back`` keeps the tokens that are not in the map.

    Example:
        >>> found = token_map(torch.arange(10.0).view(1, 5, 2), [(2, 2)])
        >>> found.map[0, 0].tolist()
        [[2.0, 4.0], [6.0, 8.0]]
        >>> found.back(0 * found.map)[0].tolist()
        [[0.0, 1.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    """
    for grid in grids:
        if output.ndim == 4 and output.shape[2:] == grid:
            return TokenMap(output, lambda m: m)
        if output.ndim == 4 and output.shape[1:3] == grid:
            return TokenMap(output.permute(0, 3, 1, 2), lambda m: m.permute(0, 2, 3, 1))
        others = output.shape[1] - grid[0] * grid[1]
        if output.ndim == 3 and 0 <= others <= MOST_OTHERS:
            return TokenMap(output[:, others:].mT.unflatten(2, grid), partial(_behind, output[:, :others]))
    return None


def _behind(others: Tensor, maps: Tensor) -> Tensor:
    """Return the tokens of a map behind the others, (B,T,F)."""
    return torch.cat([others, maps.flatten(2).mT], 1)
