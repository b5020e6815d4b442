"""Random crops of an image and its label maps: scale, crop, flip, colour, blur; one geometry for both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from wsstool.errors import UsageError
from wsstool.types import IGNORE

PAPER = (124, 116, 104)
"""Colour outside an image: about the mean of photographs, so that it is close to 0 after normalisation."""


@dataclass(frozen=True)
class RandomCrop:
    """Random crops of an image and its label maps.

    Args:
        size: side of the square crop, pixels; 0: the whole image, at the scale that was drawn.
        scale_range: minimum and maximum scale relative to the original, > 0; drawn uniformly on a logarithmic
            scale.
        flip: random horizontal flips.
        color_jitter: brightness, contrast and saturation are multiplied by numbers in
            [1 - jitter, 1 + jitter]; 0 leaves the colours unchanged, [0, 1).
        blur: half of the crops are blurred by a Gaussian with a radius (Pillow's: the standard deviation in
            pixels) drawn uniformly from [0, blur]; 0: none.

    Raises:
        UsageError: a number outside its range.
    """

    size: int
    scale_range: tuple[float, float] = (0.5, 2.0)
    flip: bool = True
    color_jitter: float = 0.0
    blur: float = 0.0

    def __post_init__(self) -> None:
        low, high = self.scale_range
        if self.size < 0:
            raise UsageError(f"crop size {self.size} is below 1 pixel (0: the whole image)")
        if not 0 < low <= high:
            raise UsageError(f"scale range {low}..{high} is not ascending and positive")
        if not 0 <= self.color_jitter < 1:
            raise UsageError(f"colour jitter {self.color_jitter} is not in [0, 1)")
        if not self.blur >= 0:
            raise UsageError(f"blur radius {self.blur} is below 0")

    def __call__(
        self, image: np.ndarray, labels: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw a crop.

        Args:
            image: (H,W,3) uint8 RGB.
            labels: (L,H,W) uint8 class ids.
            rng: the only source of randomness; always draws the same numbers in the same order.

        Returns:
            (size,size,3) uint8 and (L,size,size) uint8, outside the image ``PAPER`` and 255; of the size of
            the scaled image if ``size`` is 0.

        Example:
            >>> view = RandomCrop(8, (1.0, 1.0))
            >>> image, labels = np.zeros((5, 5, 3), np.uint8), np.ones((1, 5, 5), np.uint8)
            >>> int((view(image, labels, np.random.default_rng(0))[1] == 1).sum())
            25
        """
        draws = rng.random(9)
        low, high = self.scale_range
        scale = low * (high / low) ** draws[0]
        height, width = image.shape[:2]
        tall, wide = (max(1, round(n * scale)) for n in (height, width))
        size = (self.size or tall, self.size or wide)
        rows, top, source_rows = _place(height, tall, size[0], draws[1])
        columns, left, source_columns = _place(width, wide, size[1], draws[2])
        box = (source_columns[0], source_rows[0], source_columns[1], source_rows[1])
        view = np.empty((*size, 3), np.uint8)
        view[:] = PAPER
        maps = np.full((len(labels), *size), IGNORE, np.uint8)
        inside = (slice(top, top + rows), slice(left, left + columns))
        view[inside] = _resized(image, (columns, rows), box, Image.Resampling.BILINEAR)
        for target, source in zip(maps, labels, strict=True):
            target[inside] = _resized(source, (columns, rows), box, Image.Resampling.NEAREST)
        if self.flip and draws[3] < 0.5:
            view, maps = view[:, ::-1], maps[:, :, ::-1]
        if self.color_jitter:
            factors = 1 + self.color_jitter * (2 * draws[4:7] - 1)
            view = jittered(view, *factors.tolist())
        if self.blur and draws[7] < 0.5:
            radius = float(self.blur * draws[8])
            blurred = Image.fromarray(np.ascontiguousarray(view)).filter(ImageFilter.GaussianBlur(radius))
            view = np.array(blurred)
        return np.ascontiguousarray(view), np.ascontiguousarray(maps)


def jittered(image: np.ndarray, brightness: float, contrast: float, saturation: float) -> np.ndarray:
    """Scale brightness, contrast (about the mean grey) and saturation of an (H,W,3) uint8 image."""
    x = image.astype(np.float32) * brightness
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    mean = float((x @ weights).mean())
    x = (x - mean) * contrast + mean
    grey = (x @ weights)[..., None]
    return np.clip((x - grey) * saturation + grey + 0.5, 0, 255).astype(np.uint8)


def _place(n: int, scaled: int, size: int, draw: float) -> tuple[int, int, tuple[float, float]]:
    """Return, for one axis, how many crop pixels the image covers, the first one, and the source range."""
    room = scaled - size
    offset = int(draw * (abs(room) + 1))  # of the crop in the image, or of the image in the crop
    start, first = (offset, 0) if room >= 0 else (0, offset)
    count = min(size, scaled)
    return count, first, (start * n / scaled, min(float(n), (start + count) * n / scaled))


def _resized(
    pixels: np.ndarray, size: tuple[int, int], box: tuple[float, float, float, float], how: Image.Resampling
) -> np.ndarray:
    return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize(size, how, box=box))
