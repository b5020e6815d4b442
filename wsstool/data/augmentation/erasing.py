"""Random erasing: one rectangle of an image becomes noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from wsstool.errors import UsageError
from wsstool.types import IMAGENET_MEAN, IMAGENET_STD

ATTEMPTS = 10


@dataclass(frozen=True)
class RandomErasing:
    """Replaces a rectangle by noise, pixel by pixel, with some probability.

    The rectangle covers 2 % to a third of the image, at aspect ratios of 0.3 to 1 / 0.3, uniform on a
    logarithmic scale. The noise is normal with the mean and deviation of the colours of photographs, so that
    it is standard normal after their normalisation, but for values outside [0, 255].

    Args:
        probability: of erasing, [0, 1].

    Raises:
        UsageError: a probability outside its range.

    Source:
        Zhong et al., AAAI 2020 (RE-R with noise per pixel). Written from the paper.
    """

    probability: float

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise UsageError(f"erasing probability {self.probability:g} is not in [0, 1]")

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Erase a rectangle, or nothing.

        Args:
            image: (H,W,3) uint8 RGB, left as it is.
            rng: the only source of randomness.

        Returns:
            (H,W,3) uint8.

        Example:
            >>> image = np.full((20, 20, 3), 7, np.uint8)
            >>> share = (RandomErasing(1.0)(image, np.random.default_rng(0)) != 7).any(-1).mean()
            >>> bool(0.01 < share < 0.4)
            True
        """
        if rng.random() >= self.probability:
            return image
        height, width = image.shape[:2]
        for _ in range(ATTEMPTS):
            area = rng.uniform(0.02, 1 / 3) * height * width
            ratio = math.exp(rng.uniform(math.log(0.3), -math.log(0.3)))
            rows, columns = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < rows < height and 0 < columns < width:
                top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
                noise = 255 * rng.normal(IMAGENET_MEAN, IMAGENET_STD, (rows, columns, 3))
                erased = image.copy()
                erased[top : top + rows, left : left + columns] = noise.round().clip(0, 255)
                return erased
        return image
