"""Coordinates of feature-map cells as features."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

CHANNELS = 8


@lru_cache(maxsize=8)
@torch.inference_mode(False)  # a tensor of inference mode could not be used in training afterwards
def coordinates(size: tuple[int, int], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return eight features per cell: left, top, right, bottom, centre x, centre y, 1 / w, 1 / h.

    The first six are scaled to [-1, 1] over the map.

    Args:
        size: (h, w).
        dtype, device: of the result.

    Returns:
        (h w, 8), row by row.

    Source:
        Feng et al., CVPR 2020. Independent.
    Example:
        >>> coordinates((1, 2), torch.float32, torch.device("cpu"))[1].tolist()
        [0.0, -1.0, 1.0, 1.0, 0.5, 0.0, 0.5, 1.0]
    """
    h, w = size
    left, top = (torch.arange(n) * (2 / n) - 1 for n in (w, h))
    x, y = left.expand(h, w), top[:, None].expand(h, w)
    steps = torch.full_like(x, 1 / w), torch.full_like(x, 1 / h)
    parts = (x, y, x + 2 / w, y + 2 / h, x + 1 / w, y + 1 / h, *steps)
    return torch.stack(parts, 2).flatten(0, 1).to(device, dtype)
