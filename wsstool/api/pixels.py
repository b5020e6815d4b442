"""Images in memory: arrays and Pillow images."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image


def as_pixels(image: Any) -> np.ndarray:
    """Return an image as a writable (H, W, 3) uint8 array.

    Args:
        image: (H, W, 3) uint8 array or tensor, or a Pillow image of any mode.

    Raises:
        ValueError: an array of another shape or type.
    """
    if isinstance(image, Image.Image):
        return np.array(image.convert("RGB"))
    pixels = np.array(image)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"an image must be an (H, W, 3) uint8 array, not {pixels.shape} {pixels.dtype}")
    return pixels
