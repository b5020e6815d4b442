"""Blur with a fixed kernel: a Gaussian, or a disk for a lens out of focus."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import fft, ndimage

from wsstool.corruptions.levels import constants_of, to_levels

#: Standard deviation in pixels.
GAUSSIAN = (1, 2, 3, 4, 6)
#: Radius of the disk and standard deviation of its smooth rim, in pixels.
DEFOCUS = ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))


def gaussian_blur(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Blur with a Gaussian; edge pixels repeat beyond the border.

    Source:
        Hendrycks and Dietterich, ICLR 2019 (extra corruptions). Written from the paper and a list of its
        constants.
    """
    return to_levels(smoothed(image, constants_of(image, severity, GAUSSIAN)))


def smoothed(image: np.ndarray, sigma: float) -> np.ndarray:
    """Convolve each channel with a Gaussian truncated at four standard deviations.

    Args:
        image: (H, W) or (H, W, C), in any unit.
        sigma: standard deviation in pixels.
    Returns:
        float32 of the same shape.
    """
    radius = int(4 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights /= weights.sum()
    half = ndimage.correlate1d(image, weights, 0, np.float32, mode="nearest")
    return ndimage.correlate1d(half, weights, 1, np.float32, mode="nearest")


def defocus_blur(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Blur with a disk, the image of a point out of focus; borders are mirrored.

    Source:
        Hendrycks and Dietterich, ICLR 2019. Written from the paper and a list of its constants.
    """
    kernel = disk(*constants_of(image, severity, DEFOCUS))
    margin = len(kernel) // 2
    channels = np.ascontiguousarray(image.transpose(2, 0, 1), np.float32)
    padded = np.pad(channels, ((0, 0), (margin, margin), (margin, margin)), "reflect")
    # The padding is as wide as the kernel reaches, so what the transform wraps round is cut off below.
    size = [fft.next_fast_len(n, real=True) for n in padded.shape[1:]]
    product = fft.rfft2(padded, size) * fft.rfft2(kernel, size)
    height, width = image.shape[:2]
    start = 2 * margin
    blurred = fft.irfft2(product, size)[:, start : start + height, start : start + width]
    return to_levels(blurred.transpose(1, 2, 0))


@lru_cache
def disk(radius: int, smoothing: float) -> np.ndarray:
    """Draw a disk with a smooth rim.

    Args:
        radius: in pixels.
        smoothing: standard deviation of the Gaussian along the rim, in pixels.
    Returns:
        (K, K) float32, K = 2 max(radius, 8) + 1. It sums to one, or to a little more (1.01) where the rim
        reaches the edge of the kernel and is mirrored there; the benchmark brightens images in the same way.

    Example:
        >>> disk(3, 0.1).shape, float(disk(3, 0.1).sum().round(5))
        ((17, 17), 1.0)
    """
    reach = max(radius, 8)
    steps = np.arange(-reach, reach + 1)
    inside = (steps[:, None] ** 2 + steps**2 <= radius**2).astype(np.float64)
    taps = np.arange(-1, 2) if radius <= 8 else np.arange(-2, 3)
    rim = np.exp(-0.5 * (taps / smoothing) ** 2)
    kernel = inside / inside.sum()
    for axis in (0, 1):
        kernel = ndimage.correlate1d(kernel, rim / rim.sum(), axis, mode="mirror")
    return kernel.astype(np.float32)
