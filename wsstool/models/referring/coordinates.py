"""Coordinates of feature-map cells as features."""

from __future__ import annotations

import torch
from torch import Tensor

CHANNELS = 8


def coordinates(size: tuple[int, int], like: Tensor) -> Tensor:
    """Return eight features per cell: left, top, right, bottom, centre x, centre y, 1 / w, 1 / h.

    The first six are scaled to [-1, 1] over the map.

    Args:
        size: (h, w).
        like: gives device and type.

    Returns:
        (h w, 8), row by row.

    Source:
        Feng et al., CVPR 2020. Independent.
    Example:
        >>> coordinates((1, 2), torch.zeros(()))[1].tolist()
        [0.0, -1.0, 1.0, 1.0, 0.5, 0.0, 0.5, 1.0]
    """
    h, w = size
    left, top = (torch.arange(n, dtype=like.dtype, device=like.device) * (2 / n) - 1 for n in (w, h))
    x, y = left.expand(h, w), top[:, None].expand(h, w)
    steps = torch.full_like(x, 1 / w), torch.full_like(x, 1 / h)
    parts = (x, y, x + 2 / w, y + 2 / h, x + 1 / w, y + 1 / h, *steps)
    return torch.stack(parts, 2).flatten(0, 1)
