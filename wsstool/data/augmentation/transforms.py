"""Random-resized crops of an image for a classifier, with flips and colour jitter."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from wsstool.data.augmentation.crops import jittered
from wsstool.errors import UsageError


@dataclass(frozen=True)
class RandomResizedCrop:
    """Random-resized crop: a random part of the image, resized to a square.

    The crop gets the tags of the whole image, so crops that are too small teach wrong tags.

    Args:
        size: side of the crop, pixels, >= 1.
        area_range: random-resized-crop scale: minimum and maximum share of the image's area, (0, 1].
        flip: random horizontal flips.
        flip_vertical: also random vertical flips, for images without an orientation.
        color_jitter: brightness, contrast and saturation are multiplied by numbers in
            [1 - jitter, 1 + jitter]; [0, 1), 0 leaves the colours unchanged.
        random_filter: resize with a bilinear or a bicubic filter, drawn for each crop; else bilinear.

    Raises:
        UsageError: a number outside its range.

    Source:
        Szegedy et al., CVPR 2015, section 6; aspect ratios 3/4 to 4/3. Written from the paper.
    """

    size: int
    area_range: tuple[float, float] = (0.3, 1.0)
    flip: bool = True
    flip_vertical: bool = False
    color_jitter: float = 0.0
    random_filter: bool = False

    def __post_init__(self) -> None:
        low, high = self.area_range
        if self.size < 1:
            raise UsageError(f"image size {self.size} is below 1 pixel")
        if not 0 < low <= high <= 1:
            raise UsageError(f"area range {low}..{high} is not ascending within (0, 1]")
        if not 0 <= self.color_jitter < 1:
            raise UsageError(f"colour jitter {self.color_jitter} is not in [0, 1)")

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw a crop.

        Args:
            image: (H,W,3) uint8 RGB.
            rng: the only source of randomness; always draws the same numbers in the same order.

        Returns:
            (size,size,3) uint8.

        Example:
            >>> crop = RandomResizedCrop(8, (1.0, 1.0))
            >>> crop(np.full((20, 30, 3), 7, np.uint8), np.random.default_rng(0)).shape
            (8, 8, 3)
        """
        return self.pair(image, rng)[0]

    def pair(self, image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw a crop, and return it with and without colour jitter; see ``__call__``."""
        draws = rng.random(9)
        bicubic = self.random_filter and rng.random() < 0.5
        view = self._placed(image, draws, Image.Resampling.BICUBIC if bicubic else Image.Resampling.BILINEAR)
        if not self.color_jitter:
            return view, view
        return jittered(view, *(1 + self.color_jitter * (2 * draws[6:] - 1)).tolist()), view

    def _placed(self, image: np.ndarray, draws: np.ndarray, how: Image.Resampling) -> np.ndarray:
        """Return the crop that six numbers in [0, 1) choose."""
        low, high = self.area_range
        height, width = image.shape[:2]
        area = (low + (high - low) * draws[0]) * height * width
        # log aspect ratio (width / height), limited to what fits into the image
        least = max(math.log(3 / 4), math.log(area / height**2))
        most = min(math.log(4 / 3), math.log(width**2 / area))
        ratio = math.exp(least + (most - least) * draws[1]) if least < most else width / height
        columns = min(float(width), math.sqrt(area * ratio))
        rows = min(float(height), math.sqrt(area / ratio))
        left, top = draws[2] * (width - columns), draws[3] * (height - rows)
        part = (left, top, min(width, left + columns), min(height, top + rows))
        view = np.asarray(Image.fromarray(image).resize((self.size, self.size), how, box=part))
        if self.flip and draws[4] < 0.5:
            view = view[:, ::-1]
        if self.flip_vertical and draws[5] < 0.5:
            view = view[::-1]
        return np.array(view)  # a copy: the decoder's memory is not writable
