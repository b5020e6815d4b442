"""What a promptable segmenter is, and an image that is encoded once for all of its prompts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any, Protocol

import numpy as np

from wsstool.regions import box_mask


def _no_points() -> np.ndarray:
    return np.zeros((0, 2), np.float32)


def _no_labels() -> np.ndarray:
    return np.zeros(0, bool)


@dataclass(frozen=True)
class Prompt:
    """What shows a segmenter one object.

    Args:
        box: (4,) xyxy in pixels of the image.
        points: (N, 2) column and row of pixels.
        on_object: (N,) bool; a point is on the object, or on the background.
        mask: (H, W) float32 logits, above 0 on the object, 0 where nothing is known; or None.
    """

    box: np.ndarray
    points: np.ndarray = field(default_factory=_no_points)
    on_object: np.ndarray = field(default_factory=_no_labels)
    mask: np.ndarray | None = None


class Segmenter(Protocol):
    """A segmenter with a slow part that sees the image and a fast part that sees the prompts."""

    def encode(self, image: np.ndarray) -> Any:
        """Return the state of an (H, W, 3) uint8 RGB image, for the other methods."""

    def features(self, state: Any) -> np.ndarray:
        """Return the (F, h, w) float32 features of the image, which cover it."""

    def masks(self, state: Any, prompts: Iterable[Prompt]) -> Iterator[tuple[np.ndarray, float]]:
        """Yield an (H, W) bool mask and its predicted IoU in [0, 1] for each prompt, in order."""


class PromptedImage:
    """An image under a segmenter; it is encoded when the first prompt comes, and never again.

    Args:
        segmenter: the segmenter.
        pixels: (H, W, 3) uint8 RGB.
    """

    def __init__(self, segmenter: Segmenter, pixels: np.ndarray) -> None:
        self._segmenter, self._pixels = segmenter, pixels

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._pixels.shape[0], self._pixels.shape[1]

    @cached_property
    def _state(self) -> Any:
        return self._segmenter.encode(self._pixels)

    @cached_property
    def features(self) -> np.ndarray:
        """(F, h, w) float32 features of the image."""
        return self._segmenter.features(self._state)

    def masks(self, prompts: Iterable[Prompt]) -> Iterator[tuple[np.ndarray, float]]:
        """Yield an (H, W) bool mask and its predicted IoU for each prompt, in order."""
        waiting = iter(prompts)
        for first in waiting:  # without a prompt the image is not encoded
            yield from self._segmenter.masks(self._state, chain([first], waiting))


class FilledBoxes:
    """A segmenter without a network: its masks are the boxes.

    It tries the options of methods before a network is loaded.
    """

    def encode(self, image: np.ndarray) -> tuple[int, int]:
        """Return the size of the image."""
        return image.shape[0], image.shape[1]

    def features(self, state: tuple[int, int]) -> np.ndarray:
        """Return the same feature everywhere."""
        return np.ones((1, *state), np.float32)

    def masks(self, state: tuple[int, int], prompts: Iterable[Prompt]) -> Iterator[tuple[np.ndarray, float]]:
        """Yield the filled box of each prompt, with a predicted IoU of 1."""
        for prompt in prompts:
            yield box_mask(prompt.box, state), 1.0
