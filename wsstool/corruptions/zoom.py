"""Zoom blur: the camera moves towards the centre of the image."""

from __future__ import annotations

import math

import numpy as np

from wsstool.corruptions.levels import constants_of, to_levels

#: Number of zoom factors, which begin with 1, and the step between them.
ZOOM = ((12, 0.01), (16, 0.01), (11, 0.02), (13, 0.02), (11, 0.03))


def zoom_blur(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Average the image with enlarged copies of its centre.

    The sharp image counts twice, as itself and as the copy of factor 1.

    Source:
        Hendrycks and Dietterich, ICLR 2019. Written from the paper and a list of its constants.
    """
    count, step = constants_of(image, severity, ZOOM)
    sharp = image.astype(np.float32)
    total = 2 * sharp
    for factor in np.arange(1, 1 + (count - 0.5) * step, step)[1:]:
        total += zoomed(sharp, factor)
    return to_levels(total / np.float32(count + 1))


def zoomed(image: np.ndarray, factor: float) -> np.ndarray:
    """Enlarge the centre of an image to its full size, with linear interpolation.

    Args:
        image: (H, W) or (H, W, C) float32.
        factor: at least 1.
    Returns:
        float32 of the same shape.

    Example:
        >>> zoomed(np.float32([[0, 1, 2, 3]]), 2).round(2).tolist()
        [[1.0, 1.3300000429153442, 1.6699999570846558, 2.0]]
    """
    for axis in (0, 1):
        first, second, weight = _neighbours(image.shape[axis], factor)
        weight = weight.reshape([-1 if one == axis else 1 for one in range(image.ndim)])
        low = image.take(first, axis)
        image = low + weight * (image.take(second, axis) - low)
    return image


def _neighbours(size: int, factor: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the indices of the two neighbours of each pixel along an axis, and the weight of the second."""
    cropped = math.ceil(size / factor)
    enlarged = round(cropped * factor)  # at least size; what is beyond is cut off
    position = np.arange(size) * ((cropped - 1) / max(enlarged - 1, 1))
    first = position.astype(int)
    second = np.minimum(first + 1, cropped - 1)
    start = (size - cropped) // 2
    return start + first, start + second, (position - first).astype(np.float32)
