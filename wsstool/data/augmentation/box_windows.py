"""Crops of one object: the box with a margin on every side, resized to a square."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from wsstool.data.augmentation.crops import PAPER, jittered
from wsstool.errors import UsageError
from wsstool.types import IGNORE


@dataclass(frozen=True)
class BoxView:
    """A crop of one object, as seen by the network.

    Attributes:
        image: (S,S,3) uint8.
        box: (4,) float32 xyxy in pixels of the crop.
        extent: rows and columns that contain image; the rest, below and right, is padding.
        mask: (S,S) uint8, 1 object, 0 not, 255 unknown; None if there is no mask.
    """

    image: np.ndarray
    box: np.ndarray
    extent: tuple[int, int]
    mask: np.ndarray | None = None


def margin_window(box: np.ndarray, margin: float, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return x0, y0, x1, y1 of the box with ``margin`` of its sides added on each side, clipped to the image.

    Args:
        box: (4,) xyxy pixels, inside the image.
        margin: share of the side, >= 0.
        size: rows and columns of the image.

    Example:
        >>> margin_window(np.array([10, 0, 20, 8]), 0.25, (30, 40))
        (7, 0, 23, 10)
    """
    x0, y0, x1, y1 = (float(v) for v in box)
    by_x, by_y = margin * (x1 - x0), margin * (y1 - y0)
    rows, columns = size
    left, top = max(0, int(np.floor(x0 - by_x))), max(0, int(np.floor(y0 - by_y)))
    right, bottom = min(columns, int(np.ceil(x1 + by_x))), min(rows, int(np.ceil(y1 + by_y)))
    return left, top, right, bottom


def window_view(
    image: np.ndarray,
    box: np.ndarray,
    window: tuple[float, float, float, float],
    size: int,
    mask: np.ndarray | None = None,
) -> BoxView:
    """Resize a window of an image to ``size`` x ``size`` pixels, ignoring its aspect ratio.

    Args:
        image: (H,W,3) uint8.
        box: (4,) xyxy.
        window: x0, y0, x1, y1 inside the image; fractions of pixels are kept.
        size: side of the crop.
        mask: (H,W) uint8 of the object, 255 = unknown.
    """
    x0, y0, x1, y1 = window
    view = Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR, box=window)
    scale = np.array([size / (x1 - x0), size / (y1 - y0)] * 2)
    placed = (np.asarray(box, np.float64) - [x0, y0, x0, y0]) * scale
    shown = None
    if mask is not None:
        shown = np.asarray(
            Image.fromarray(mask).resize((size, size), Image.Resampling.NEAREST, box=window), np.uint8
        )
    return BoxView(np.asarray(view), placed.astype(np.float32), (size, size), shown)


def whole_view(image: np.ndarray, box: np.ndarray, size: int, mask: np.ndarray | None = None) -> BoxView:
    """Resize the whole image to a longer side of ``size`` pixels, padded below or to the right."""
    rows, columns = image.shape[:2]
    factor = size / max(rows, columns)
    extent = max(1, round(rows * factor)), max(1, round(columns * factor))
    view = np.empty((size, size, 3), np.uint8)
    view[:] = PAPER
    view[: extent[0], : extent[1]] = np.asarray(
        Image.fromarray(image).resize(extent[::-1], Image.Resampling.BILINEAR)
    )
    shown = None
    if mask is not None:
        shown = np.full((size, size), IGNORE, np.uint8)
        shown[: extent[0], : extent[1]] = np.asarray(
            Image.fromarray(mask).resize(extent[::-1], Image.Resampling.NEAREST)
        )
    scale = np.array([extent[1] / columns, extent[0] / rows] * 2)
    return BoxView(view, (np.asarray(box, np.float64) * scale).astype(np.float32), extent, shown)


@dataclass(frozen=True)
class ObjectViews:
    """Random crops of objects for training.

    The margins are drawn anew for every side and crop. With constant margins the box is at the same place in
    every crop, and a network can satisfy every box loss by drawing a rectangle there, without looking at the
    image.

    Args:
        size: side of the crop, pixels, at least 8.
        window: ``box``: the box with margins, clipped to the image; ``image``: the whole image.
        margins: minimum and maximum margin, as shares of the box's width and height.
        flip: random horizontal flips.
        color_jitter: see ``data.augmentation.crops.jittered``; [0, 1).

    Raises:
        UsageError: a number outside its range.
    """

    size: int = 128
    window: str = "box"
    margins: tuple[float, float] = (0.05, 0.6)
    flip: bool = True
    color_jitter: float = 0.0

    def __post_init__(self) -> None:
        low, high = self.margins
        if self.size < 8:
            raise UsageError(f"--crop-size {self.size}: pixels, at least 8")
        if self.window not in ("box", "image"):
            raise UsageError(f"--window {self.window}: box or image")
        if not 0 <= low <= high < np.inf:
            raise UsageError(f"margins {low:g} to {high:g}: shares of the side, ascending from 0 or more")
        if not 0 <= self.color_jitter < 1:
            raise UsageError(f"colour jitter {self.color_jitter} is not in [0, 1)")

    def __call__(
        self, image: np.ndarray, box: np.ndarray, rng: np.random.Generator, mask: np.ndarray | None = None
    ) -> BoxView:
        """Draw a crop; always uses the same random numbers in the same order."""
        draws = rng.random(8)
        if self.window == "image":
            view = whole_view(image, box, self.size, mask)
        else:
            low, high = self.margins
            x0, y0, x1, y1 = (float(v) for v in box)
            left, top, right, bottom = low + (high - low) * draws[:4]
            window = (
                max(0.0, x0 - left * (x1 - x0)),
                max(0.0, y0 - top * (y1 - y0)),
                min(float(image.shape[1]), x1 + right * (x1 - x0)),
                min(float(image.shape[0]), y1 + bottom * (y1 - y0)),
            )
            view = window_view(image, box, window, self.size, mask)
        pixels = view.image
        if self.color_jitter:
            pixels = jittered(pixels, *(1 + self.color_jitter * (2 * draws[5:] - 1)).tolist())
        if self.flip and draws[4] < 0.5:
            return _mirrored(BoxView(pixels, view.box, view.extent, view.mask))
        return BoxView(pixels, view.box, view.extent, view.mask)


def _mirrored(view: BoxView) -> BoxView:
    """Flip the image part horizontally in place; padding stays at the right."""
    columns = view.extent[1]
    image = view.image.copy()
    image[:, :columns] = view.image[:, :columns][:, ::-1]
    mask = None if view.mask is None else view.mask.copy()
    if mask is not None and view.mask is not None:
        mask[:, :columns] = view.mask[:, :columns][:, ::-1]
    x0, y0, x1, y1 = view.box.tolist()
    return BoxView(image, np.array([columns - x1, y0, columns - x0, y1], np.float32), view.extent, mask)
