"""Spatter on the lens: drops of water, or of mud."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from wsstool.corruptions.blur import smoothed
from wsstool.corruptions.edges import canny, distance_to, equalised
from wsstool.corruptions.levels import constants_of, to_levels

#: Mean and standard deviation of the noise, its blur in pixels, threshold of a drop, amount, mud or not.
SPATTER = (
    (0.65, 0.3, 4, 0.69, 0.6, False),
    (0.65, 0.3, 3, 0.68, 0.6, False),
    (0.65, 0.3, 2, 0.68, 0.5, False),
    (0.65, 0.3, 1, 0.65, 1.5, True),
    (0.67, 0.4, 1, 0.65, 1.5, True),
)
WATER = np.array([175, 238, 238], np.float32)
MUD = np.array([63, 42, 20], np.float32)


def spatter(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Add drops where blurred noise is high: bright water (severities 1 to 3) or opaque mud (4 and 5).

    Uses one normal draw per pixel.

    Source:
        Hendrycks and Dietterich, ICLR 2019 (extra corruptions). Written from the paper and a list of its
        constants.
    """
    mean, deviation, sigma, threshold, amount, is_mud = constants_of(image, severity, SPATTER)
    drops = smoothed(generator.normal(mean, deviation, image.shape[:2]), sigma)
    if is_mud:
        covered = smoothed(drops > threshold, amount)[..., None]
        covered[covered < 0.8] = 0
        return to_levels(image * (1 - covered) + covered * MUD)
    drops[drops < threshold] = 0
    shine = _shine(to_levels(drops * 255)) * drops
    brightest = shine.max()
    if brightest > 0:
        shine *= amount / brightest
    return to_levels(image + shine[..., None] * WATER)


def _shine(drops: np.ndarray) -> np.ndarray:
    """Compute the shading of drops, (H, W) uint8 -> (H, W) float32, from the distance to their rims."""
    heights = equalised(_mean(distance_to(canny(drops, 50, 150))).astype(np.uint8))
    return np.rint(_mean(_embossed(heights)))


def _embossed(heights: np.ndarray) -> np.ndarray:
    """Emboss with light from the lower right: correlate with [-2 -1 0, -1 1 1, 0 1 2], clip to [0, 255]."""
    padded = np.pad(heights.astype(np.int16), 1, "reflect")
    slope = 2 * (padded[2:, 2:] - padded[:-2, :-2])
    slope += padded[1:-1, 2:] + padded[2:, 1:-1] - padded[1:-1, :-2] - padded[:-2, 1:-1]
    return np.clip(slope + heights, 0, 255)


def _mean(values: np.ndarray) -> np.ndarray:
    """Compute the mean of 3 x 3 pixels, mirrored at the border."""
    return ndimage.uniform_filter(values.astype(np.float32), 3, mode="mirror")
