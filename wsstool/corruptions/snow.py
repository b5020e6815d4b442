"""Snow: a whitened image behind two layers of streaked flakes."""

from __future__ import annotations

import numpy as np

from wsstool.corruptions.levels import constants_of, luma, to_levels
from wsstool.corruptions.motion import streaked
from wsstool.corruptions.zoom import zoomed

#: Mean and deviation of the flakes, their size, threshold; streak (radius, sigma); share of the image.
SNOW = (
    (0.1, 0.3, 3.0, 0.5, 10, 4, 0.8),
    (0.2, 0.3, 2.0, 0.5, 12, 4, 0.7),
    (0.55, 0.3, 4.0, 0.9, 12, 8, 0.7),
    (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
    (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
)


def snow(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Add snow: enlarged noise with a downward motion blur, once as drawn and once rotated by 180 degrees.

    Uses one normal draw per pixel, then the angle of the streaks.

    Source:
        Hendrycks and Dietterich, ICLR 2019. Written from the paper and a list of its constants.
    """
    mean, deviation, size, threshold, radius, sigma, share = constants_of(image, severity, SNOW)
    drawn = generator.normal(mean, deviation, image.shape[:2]).astype(np.float32)
    flakes = zoomed(drawn, size)
    flakes[flakes < threshold] = 0
    layer = streaked(to_levels(flakes * 255), radius, sigma, generator.uniform(-135, -45))
    white = luma(image) * 1.5 + 127.5
    pale = np.maximum(image, white[..., None])
    snowed = share * image.astype(np.float32) + (1 - share) * pale
    return to_levels(snowed + (layer + layer[::-1, ::-1])[..., None])
