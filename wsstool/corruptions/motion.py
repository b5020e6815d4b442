"""Motion: streaks along a line, from camera motion or falling snow."""

from __future__ import annotations

import math

import numpy as np

from wsstool.corruptions.levels import constants_of, to_levels

#: Half the number of taps, and standard deviation of their weights, in pixels.
MOTION = ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))


def motion_blur(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Blur along a line at a random angle from -45 to 45 degrees, fading to one side.

    Uses one uniform draw, the angle.

    Source:
        Hendrycks and Dietterich, ICLR 2019. Written from the paper and a list of its constants.
    """
    radius, sigma = constants_of(image, severity, MOTION)
    return to_levels(streaked(image, radius, sigma, generator.uniform(-45, 45)))


def streaked(image: np.ndarray, radius: int, sigma: float, angle: float) -> np.ndarray:
    """Sum shifted copies of an image, with weights that fall like one side of a Gaussian.

    Copy i is shifted by i pixels along the line, rounded to whole pixels; edge pixels fill the gap.

    Args:
        image: (H, W) or (H, W, C).
        radius: there are 2 radius + 1 copies.
        sigma: standard deviation of the weights, in pixels.
        angle: of the line, in degrees; 0 is along the rows.
    Returns:
        float32 of the same shape.

    Notes:
        A copy shifted by more than the image consists of edge pixels. The published program leaves out such
        copies, which darkens images with fewer pixels than copies.
    """
    taps = np.arange(2 * radius + 1)
    weights = np.exp(-0.5 * (taps / sigma) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    radians = math.radians(angle)
    # dx, dy: where a copy begins to be read, relative to the image.
    dx = np.ceil(taps * math.cos(radians) - 0.5).astype(int)
    dy = np.ceil(taps * math.sin(radians) - 0.5).astype(int)
    height, width = image.shape[:2]
    before = (max(0, -dy.min()), max(0, -dx.min()))
    margins = [(before[0], max(0, dy.max())), (before[1], max(0, dx.max()))]
    padded = np.pad(image.astype(np.float32), margins + [(0, 0)] * (image.ndim - 2), "edge")
    total = np.zeros(image.shape, np.float32)
    copy = np.empty_like(total)
    for weight, x, y in zip(weights, dx + before[1], dy + before[0], strict=True):
        total += np.multiply(padded[y : y + height, x : x + width], weight, out=copy)
    return total
