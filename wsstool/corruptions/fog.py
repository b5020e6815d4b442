"""Fog: plasma noise added to the image."""

from __future__ import annotations

import numpy as np

from wsstool.corruptions.levels import constants_of, to_levels

#: Density, and decay of the roughness from one scale to the next.
FOG = ((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4))


def fog(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Add plasma noise and rescale so that the brightest value stays in range.

    Uses the draws of the plasma.

    Source:
        Hendrycks and Dietterich, ICLR 2019. Written from the paper and a list of its constants.
    """
    density, decay = constants_of(image, severity, FOG)
    cloud = plasma(image.shape[:2], decay, generator) * np.float32(255 * density)
    brightest = float(image.max())
    return to_levels((image + cloud[..., None]) * np.float32(brightest / (brightest + 255 * density)))


def plasma(size: tuple[int, int], decay: float, generator: np.random.Generator) -> np.ndarray:
    """Draw plasma noise with the diamond-square algorithm, on a periodic square.

    Args:
        size: (H, W); the side of the square is the longer side, rounded up to a power of two.
        decay: divisor of the width of the draws each time the step halves; the amplitude is proportional to
            the square of the width.
        generator: uniform draws: squares, then the diamonds between columns, then those between rows.
    Returns:
        (H, W) float32; the whole square covers [0, 1].

    Source:
        Fournier, Fussell and Carpenter, CACM 1982.
    """
    side = 1 << (max(size) - 1).bit_length()
    heights = np.zeros((side, side), np.float32)
    width, step = 100.0, side

    def displaced(total: np.ndarray) -> np.ndarray:
        return total / 4 + width * generator.uniform(-width, width, total.shape)

    while step >= 2:
        half = step // 2
        corners = heights[::step, ::step]
        pairs = corners + np.roll(corners, -1, 0)
        heights[half::step, half::step] = displaced(pairs + np.roll(pairs, -1, 1))
        centres = heights[half::step, half::step]
        above_and_below = centres + np.roll(centres, 1, 0)
        heights[::step, half::step] = displaced(above_and_below + corners + np.roll(corners, -1, 1))
        left_and_right = centres + np.roll(centres, 1, 1)
        heights[half::step, ::step] = displaced(left_and_right + corners + np.roll(corners, -1, 0))
        width /= decay
        step = half
    heights -= heights.min()
    heights /= max(heights.max(), np.finfo(np.float32).tiny)  # a single pixel is flat
    return heights[: size[0], : size[1]]
