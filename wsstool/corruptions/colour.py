"""Colour: brightness and saturation in HSV, contrast around the mean; each pixel on its own."""

from __future__ import annotations

import numpy as np

from wsstool.corruptions.levels import constants_of, to_levels

#: Added to the value of HSV, as a fraction of the full range.
BRIGHTNESS = (0.1, 0.2, 0.3, 0.4, 0.5)
#: Factor and offset of the saturation of HSV.
SATURATION = ((0.3, 0.0), (0.1, 0.0), (2.0, 0.0), (5.0, 0.1), (20.0, 0.2))
#: Factor of the distance from the mean.
CONTRAST = (0.4, 0.3, 0.2, 0.1, 0.05)


def brightness(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Increase the value in HSV; hue and saturation do not change.

    The value is the largest channel, so all channels grow by the same factor.

    Source:
        Hendrycks and Dietterich, ICLR 2019. Written from the paper and a list of its constants.
    """
    added = 255 * constants_of(image, severity, BRIGHTNESS)
    values = np.arange(256, dtype=np.float32)
    factors = np.minimum(values + added, 255) / np.maximum(values, 1)
    value = _largest(image)
    # Black has no hue and becomes grey: there the factor, of a value taken as 1, is the new grey itself.
    coloured = np.where((value == 0)[..., None], np.uint8(1), image)
    return to_levels(coloured * factors.astype(np.float32)[value][..., None])


def saturate(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Decrease (severities 1 and 2) or increase (3 to 5) the saturation in HSV.

    Notes:
        Grey has the hue 0 and turns red where an offset is added.

    Source:
        Hendrycks and Dietterich, ICLR 2019 (extra corruptions). Written from the paper and a list of its
        constants.
    """
    factor, offset = constants_of(image, severity, SATURATION)
    value = _largest(image).astype(np.float32)
    spread = value - np.minimum(np.minimum(image[..., 0], image[..., 1]), image[..., 2])
    grey = spread == 0
    saturation = spread / np.maximum(value, 1)
    wanted = np.minimum(saturation * np.float32(factor) + np.float32(offset), 1)
    # A channel lies below the value by a distance that grows in proportion to the saturation.
    growth = wanted * value / np.where(grey, 1, spread)
    below = (value[..., None] - image) * growth[..., None]
    if offset:
        below[grey, 1:] = (wanted * value)[grey, None]
    return to_levels(value[..., None] - below)


def contrast(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Reduce contrast: move each channel towards its mean over the image, (x - m) c + m.

    Source:
        Hendrycks and Dietterich, ICLR 2019. Written from the paper and a list of its constants.
    """
    factor = np.float32(constants_of(image, severity, CONTRAST))
    offset = image.mean((0, 1)) * (1 - factor)
    return to_levels(image * factor + offset.astype(np.float32))


def _largest(image: np.ndarray) -> np.ndarray:
    """Return the largest channel of each pixel, (H, W) uint8; faster than a maximum over an axis of three."""
    return np.maximum(np.maximum(image[..., 0], image[..., 1]), image[..., 2])
