"""Frosted glass: pixels take the colours of neighbours, between two blurs."""

from __future__ import annotations

import numpy as np

from wsstool.corruptions.blur import smoothed
from wsstool.corruptions.levels import constants_of, to_levels

#: Standard deviation of the blur, reach of the shuffle, rounds of it; pixels.
GLASS = ((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2))


def glass_blur(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Blur, let each pixel take the colour of a random neighbour, and blur again.

    Each round visits the pixels from last to first, and each takes the current colour of its neighbour. The
    published program intends to swap the two pixels, but copies; so does this one. A margin as wide as the
    reach is not shuffled.

    Uses two integer draws per pixel and round.

    Source:
        Hendrycks and Dietterich, ICLR 2019. Written from the paper and a list of its constants.
    """
    sigma, reach, rounds = constants_of(image, severity, GLASS)
    shuffled = to_levels(smoothed(image, sigma)).reshape(-1, 3)
    for _ in range(rounds):
        shuffled = shuffled[taken_from(image.shape[:2], reach, generator)]
    return to_levels(smoothed(shuffled.reshape(image.shape), sigma))


def taken_from(size: tuple[int, int], reach: int, generator: np.random.Generator) -> np.ndarray:
    """Draw one round of the shuffle: the source of each pixel's colour.

    If the neighbour was visited before, it already has the colour of its own neighbour, and so on; the chains
    are resolved by pointer doubling, in about log2 of the longest chain.

    Args:
        size: (H, W).
        reach: offsets are -reach to reach - 1 in both directions.
        generator: draws dx, then dy, pixel by pixel.
    Returns:
        (H * W,) int32, indices of pixels in reading order.
    """
    height, width = size
    source = np.arange(height * width, dtype=np.int32)
    rows, columns = np.arange(height - reach, reach, -1), np.arange(width - reach, reach, -1)
    dx, dy = generator.integers(-reach, reach, (len(rows), len(columns), 2)).transpose(2, 0, 1)
    own = (rows[:, None] * width + columns).astype(np.int32)
    offset = (dy * width + dx).astype(np.int32)
    in_turn = np.zeros(height * width, bool)
    in_turn[own] = True
    neighbour = own + offset
    follows = in_turn[neighbour] & (offset > 0)  # the neighbour was visited before: its colour is a new one
    source[own] = np.where(follows, neighbour, own)
    while True:
        further = source[source]
        if np.array_equal(further, source):
            break
        source = further
    origin = np.arange(height * width, dtype=np.int32)
    origin[own] = neighbour
    return origin[source]
