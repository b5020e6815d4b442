"""Bilinear resizing of score maps, without torch: two passes, one per axis."""

from __future__ import annotations

import numpy as np

Part = tuple[int, int, int, int]
"""Top, left, rows and columns of a part of an image."""


def resize(maps: np.ndarray, size: tuple[int, int], part: Part | None = None) -> np.ndarray:
    """Resize maps to the size of an image, or compute a part of the result.

    Output pixel i reads input position (i + 1/2) h / H - 1/2, clamped to the border: half-pixel centres,
    no smoothing when shrinking; what torch's ``interpolate(mode="bilinear", align_corners=False)`` does.

    Args:
        maps: (..., h, w).
        size: (H, W), pixels.
        part: which pixels; None: all.

    Returns:
        (..., H, W) float32, or (..., rows, columns) of the part; ``maps`` itself, bit for bit, when the sizes
        agree.

    Example:
        >>> import numpy as np
        >>> resize(np.array([[0.0, 1.0]]), (1, 4))[0].tolist()
        [0.0, 0.25, 0.75, 1.0]
    """
    maps = np.asarray(maps, np.float32)
    top, left, rows, columns = part or (0, 0, *size)
    if maps.shape[-2:] == tuple(size):
        return maps[..., top : top + rows, left : left + columns] if part else maps
    low, high, share = _taps(maps.shape[-2], size[0], slice(top, top + rows))
    share = share[:, None]
    maps = maps[..., low, :] * (1 - share) + maps[..., high, :] * share
    low, high, share = _taps(maps.shape[-1], size[1], slice(left, left + columns))
    return maps[..., low] * (1 - share) + maps[..., high] * share


def _taps(n: int, m: int, wanted: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return left index, right index, and weight of the right one for some of m outputs over n inputs."""
    position = np.clip((np.arange(m)[wanted] + 0.5) * (n / m) - 0.5, 0, n - 1)
    low = position.astype(np.intp)
    return low, np.minimum(low + 1, n - 1), (position - low).astype(np.float32)
