"""The maps of one image, one per box or sentence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BoxMaps:
    """The maps of one image.

    Attributes:
        maps: (h, w) float in [0, 1], one per box.
        boxes: (4,) xyxy each, in pixels of its window.
        pixels: (h, w, 3) uint8, each window of the image.
    """

    maps: list[np.ndarray]
    boxes: list[np.ndarray]
    pixels: list[np.ndarray]
