"""Make images smaller before work that needs no more detail."""

from __future__ import annotations

from typing import Literal

import numpy as np

MAX_PIXELS = 178_956_970
"""Largest image that is decoded (Pillow's own limit): a file of kilobytes may claim gigapixels."""

MOST_PIXELS = 1 << 36
"""Largest image of which a part is decoded at a time: more than any slide has."""

Resampling = Literal["box", "triangle", "gaussian", "blocks"]


def size_within(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """Compute the (rows, columns) of an image whose longer side is made at most ``longest`` pixels.

    Sides keep their ratio, rounded, and have at least one pixel; nothing gets larger.

    >>> size_within((300, 400), 200), size_within((3, 4), 200)
    ((150, 200), (3, 4))
    """
    most = max(size)
    if most <= longest:
        return size
    rows, columns = (max(1, round(n * longest / most)) for n in size)
    return rows, columns


def shrink(image: np.ndarray, size: tuple[int, int], resampling: Resampling) -> np.ndarray:
    """Resample an image, or values in its place, to a smaller size.

    Args:
        image: (H, W) or (H, W, C); uint8 for ``box`` and ``triangle``.
        size: rows and columns, at most those of the image.
        resampling: what a pixel of the result is. ``box``: the mean of the pixels whose centres lie in the
            area that it covers; ``blocks``: of those whose upper left corners do; ``triangle``: a mean that
            weighs by distance, over twice the side of that area; ``gaussian``: linear interpolation after a
            Gaussian.

    Returns:
        (rows, columns) or (rows, columns, C), writable unless the size is that of the image: uint8 for
        ``box`` and ``triangle``, float64 in the unit of the image for ``gaussian`` and ``blocks``.
    """
    as_floats = resampling in ("gaussian", "blocks")
    if image.shape[:2] == tuple(size):
        return image.astype(np.float64) if as_floats else image
    if resampling == "gaussian":
        from skimage.transform import resize

        return resize(image.astype(np.float64), size, order=1, anti_aliasing=True)
    if resampling == "blocks":
        return _block_means(image, size)
    from PIL import Image

    method = Image.Resampling.BOX if resampling == "box" else Image.Resampling.BILINEAR
    return np.array(Image.fromarray(image).resize((size[1], size[0]), method))


def _block_means(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    height, width = image.shape[:2]
    rows, columns = np.arange(size[0]) * height // size[0], np.arange(size[1]) * width // size[1]
    sums = np.add.reduceat(np.add.reduceat(image, rows, axis=0, dtype=np.float64), columns, axis=1)
    counts = np.diff(rows, append=height)[:, None] * np.diff(columns, append=width)
    return sums / counts.reshape(counts.shape + (1,) * (image.ndim - 2))
