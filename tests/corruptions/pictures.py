"""Images to corrupt."""

from functools import cache

import numpy as np
from skimage import data

SIZES = [(1, 1), (1, 9), (9, 1), (2, 2), (3, 40), (16, 5), (33, 31)]


@cache
def cat() -> np.ndarray:
    """The centre of scikit-image's cat, (224, 224, 3) uint8, which the constants of the benchmark are for."""
    image = data.chelsea()
    top, left = ((side - 224) // 2 for side in image.shape[:2])
    image = np.ascontiguousarray(image[top : top + 224, left : left + 224])
    image.flags.writeable = False
    return image


def noise(size: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Mean absolute difference in grey levels."""
    return float(np.abs(one.astype(int) - other).mean())
