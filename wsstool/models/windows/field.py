"""How far a network sees, measured on the network itself."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch


@torch.no_grad()
def field_radius(
    compute: Callable[[torch.Tensor], torch.Tensor], side: int, device: torch.device, cell: int = 1
) -> int | None:
    """Return from how far away, at most, a pixel changes the result.

    One pixel in the middle of an empty image is not a number, and neither is any value that depends on it:
    what the network computes cannot hide it. The answer is an upper bound, since fast convolutions work on
    small tiles.

    Args:
        compute: (1, 3, side, side) float -> (1, C, h, w).
        side: of the image, pixels.
        device: of the image.
        cell: pixels per value of the result.

    Returns:
        Pixels; None: it reaches the border of this image, as it always does where a network averages or
        attends over the whole image.

    Example:
        >>> blur = torch.nn.Conv2d(3, 1, 5, padding=2)
        >>> field_radius(blur, 32, torch.device("cpu"))
        2
    """
    x = torch.zeros(1, 3, side, side, device=device)
    middle = side // 2
    x[:, :, middle, middle] = math.nan
    changed = compute(x)[0].isnan().any(0)
    places = changed.nonzero()
    if not len(places):
        return 0
    first, last = int(places.min()), int(places.max())
    if first == 0 or last >= max(changed.shape) - 1:
        return None
    return max(middle - first * cell, (last + 1) * cell - 1 - middle)
