"""Whole images with the objects that sentences name in them, resized to a square."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from wsstool.data.augmentation.crops import jittered
from wsstool.errors import UsageError


def squared(image: np.ndarray, side: int) -> np.ndarray:
    """Resize an image to ``side`` x ``side`` pixels, whatever its aspect ratio: (H,W,3) uint8."""
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR))


@dataclass(frozen=True)
class WholeView:
    """An image as seen by a network, and several objects in it.

    Attributes:
        image: (S,S,3) uint8.
        boxes: (K,4) float32 xyxy in pixels of the view.
        masks: (K,S,S) uint8, 1 object, 0 not, 255 unknown; None if there are no masks.
    """

    image: np.ndarray
    boxes: np.ndarray
    masks: np.ndarray | None = None


@dataclass(frozen=True)
class WholeImages:
    """Views of whole images for training on sentences.

    There are neither crops nor flips: they would make sentences such as "the left one" untrue.

    Args:
        size: side of the view, pixels, at least 8.
        color_jitter: see ``data.augmentation.crops.jittered``; [0, 1).

    Raises:
        UsageError: a number outside its range.
    """

    size: int = 320
    color_jitter: float = 0.0

    def __post_init__(self) -> None:
        if self.size < 8:
            raise UsageError(f"--crop-size {self.size}: pixels, at least 8")
        if not 0 <= self.color_jitter < 1:
            raise UsageError(f"colour jitter {self.color_jitter} is not in [0, 1)")

    def __call__(
        self,
        image: np.ndarray,
        boxes: np.ndarray,
        rng: np.random.Generator,
        masks: Sequence[np.ndarray] | None = None,
    ) -> WholeView:
        """Resize an image, boxes and masks alike.

        Args:
            image: (H,W,3) uint8.
            boxes: (K,4) xyxy.
            rng: for the colours.
            masks: (H,W) uint8 each.
        """
        rows, columns = image.shape[:2]
        view = squared(image, self.size)
        if self.color_jitter:
            view = jittered(view, *(1 + self.color_jitter * (2 * rng.random(3) - 1)).tolist())
        scale = np.array([self.size / columns, self.size / rows] * 2)
        placed = (np.asarray(boxes, np.float64).reshape(-1, 4) * scale).astype(np.float32)
        shown = None if masks is None else np.stack([self._mask(one) for one in masks])
        return WholeView(view, placed, shown)

    def _mask(self, mask: np.ndarray) -> np.ndarray:
        return np.asarray(
            Image.fromarray(mask).resize((self.size, self.size), Image.Resampling.NEAREST), np.uint8
        )
