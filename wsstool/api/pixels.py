"""Images and score maps in memory: arrays, tensors, Pillow images."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from wsstool.errors import ArgumentError
from wsstool.nms.inputs import as_numpy


def as_pixels(image: Any) -> np.ndarray:
    """Return an image as a writable (H, W, 3) uint8 array.

    Args:
        image: (H, W, 3) uint8 array or tensor, or a Pillow image of any mode.

    Raises:
        ArgumentError: an array of another shape or type.
    """
    if isinstance(image, Image.Image):
        return np.array(image.convert("RGB"))
    pixels = np.array(as_numpy(image, "image"))
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ArgumentError(f"image: give an (H, W, 3) uint8 array, not {pixels.shape} {pixels.dtype}")
    return pixels


def as_scores(maps: Any, name: str) -> np.ndarray:
    """Return score maps as a (K, h, w) float32 array.

    Args:
        maps: array, nested lists, tensor or ``ClassMaps``.
        name: of the parameter, for the message.

    Raises:
        ArgumentError: an array of another shape or type.
    """
    array = as_numpy(maps, name)
    if array.ndim != 3 or array.dtype.kind not in "fiub":
        raise ArgumentError(f"{name}: give a (K, h, w) array of numbers, not {array.shape} {array.dtype}")
    return array.astype(np.float32)
