"""Bilinear resizing of score maps, without torch: two passes, one per axis."""

from __future__ import annotations

import numpy as np


def resize(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize maps to the size of an image.

    Output pixel i reads input position (i + 1/2) h / H - 1/2, clamped to the border: half-pixel centres,
    no smoothing when shrinking; what torch's ``interpolate(mode="bilinear", align_corners=False)`` does.

    Args:
        maps: (..., h, w).
        size: (H, W), pixels.
    Returns:
        (..., H, W) float32; ``maps`` itself, bit for bit, when the sizes agree.

    Example:
        >>> import numpy as np
        >>> resize(np.array([[0.0, 1.0]]), (1, 4))[0].tolist()
        [0.0, 0.25, 0.75, 1.0]
    """
    maps = np.asarray(maps, np.float32)
    if maps.shape[-2:] == tuple(size):
        return maps
    low, high, part = _taps(maps.shape[-2], size[0])
    part = part[:, None]
    maps = maps[..., low, :] * (1 - part) + maps[..., high, :] * part
    low, high, part = _taps(maps.shape[-1], size[1])
    return maps[..., low] * (1 - part) + maps[..., high] * part


def _taps(n: int, m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return left index, right index, and weight of the right one for m outputs over n inputs."""
    position = np.clip((np.arange(m) + 0.5) * (n / m) - 0.5, 0, n - 1)
    low = position.astype(np.intp)
    return low, np.minimum(low + 1, n - 1), (position - low).astype(np.float32)
