"""Noise, drawn independently for each channel of each pixel."""

from __future__ import annotations

import numpy as np

from wsstool.corruptions.levels import constants_of, to_levels

#: Standard deviation, as a fraction of the full range.
GAUSSIAN = (0.08, 0.12, 0.18, 0.26, 0.38)
#: Expected number of photons of white.
SHOT = (60, 25, 12, 5, 3)
#: Fraction of the values that are replaced.
IMPULSE = (0.03, 0.06, 0.09, 0.17, 0.27)
#: Standard deviation, as a fraction of the value itself.
SPECKLE = (0.15, 0.2, 0.35, 0.45, 0.6)


def gaussian_noise(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Add normal noise, x + N(0, s), as in a sensor in low light.

    Uses one normal draw per value.

    Source:
        Hendrycks and Dietterich, ICLR 2019. Written from the paper and a list of its constants.
    """
    scale = constants_of(image, severity, GAUSSIAN)
    return to_levels(image + generator.normal(0, 255 * scale, image.shape))


def shot_noise(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Add photon noise, Poisson(c x) / c, which is stronger in bright pixels.

    Uses one Poisson draw per value.

    Source:
        Hendrycks and Dietterich, ICLR 2019. Written from the paper and a list of its constants.
    """
    photons = constants_of(image, severity, SHOT)
    return to_levels(generator.poisson(image / 255 * photons) * (255 / photons))


def impulse_noise(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Replace a fraction of the values, half of them by 0 and half by 255 (salt and pepper).

    Uses one uniform draw per value.

    Source:
        Hendrycks and Dietterich, ICLR 2019. Written from the paper and a list of its constants.
    """
    share = constants_of(image, severity, IMPULSE)
    drawn = generator.random(image.shape, np.float32)
    salted = np.where(drawn < share, np.uint8(255), image)
    return np.where(drawn < share / 2, np.uint8(0), salted)


def speckle_noise(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Add noise proportional to the value, x + x N(0, s).

    Uses one normal draw per value.

    Source:
        Hendrycks and Dietterich, ICLR 2019 (extra corruptions). Written from the paper and a list of its
        constants.
    """
    scale = constants_of(image, severity, SPECKLE)
    return to_levels(image * generator.normal(1, scale, image.shape))
