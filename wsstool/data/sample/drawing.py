"""Raw material from scikit-image's bundled images: random crops, textures and cut-outs.

Training images use the left part of each source, validation and test images the right part: no pixel of raw
material is in both.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from scipy import ndimage

from wsstool.data.images import read_image

_BORDER = 0.55  # share of an image's columns used for training

_FILES = {
    "hubble": "hubble_deep_field.jpg",
    "retina": "retina.jpg",
    "rocket": "rocket.jpg",
    "clock": "clock_motion.png",
}


@lru_cache(maxsize=32)
def bundled_image(name: str) -> np.ndarray:
    """Return a bundled image, (H, W, 3) float32 in 0..1."""
    return (
        read_image(Path(str(files("skimage.data") / _FILES.get(name, f"{name}.png")))).astype(np.float32)
        / 255
    )


@lru_cache(maxsize=32)
def _is_grey(name: str) -> bool:
    source = bundled_image(name)
    return bool((source == source[..., :1]).all())


def grey(image: np.ndarray) -> np.ndarray:
    """Return the (H, W) luminance of (H, W, 3)."""
    return image @ np.array([0.299, 0.587, 0.114], np.float32)


def crop(
    generator: np.random.Generator,
    name: str,
    size: tuple[int, int],
    window: float,
    *,
    part: str,
    turn: float = np.pi,
    within: tuple[float, float, float, float] = (0, 0, 1, 1),
) -> np.ndarray:
    """Return a rotated, flipped and scaled window of an image, from the columns available to ``part``.

    Args:
        generator: the only source of randomness.
        name: of the image.
        size: (H, W) of the result, pixels.
        window: pixels of the source that the longer side of the result covers.
        part: ``train``, or ``val`` or ``test``.
        turn: maximum rotation to either side, radians.
        within: top, left, bottom, right of the region to use, as shares of the image.

    Returns:
        (H, W, 3) float32 in 0..1.
    """
    source = bundled_image(name)
    rows, columns = source.shape[:2]
    top, left, bottom, right = (round(v) for v in np.array(within) * [rows, columns, rows, columns])
    border = left + round(_BORDER * (right - left))
    region = source[top:bottom, left:border] if part == "train" else source[top:bottom, border:right]
    step = min(window, 0.95 * min(region.shape[:2])) / max(size)
    angle = generator.uniform(-turn, turn)
    flip = generator.choice((-1.0, 1.0))
    cos, sin = np.cos(angle) * step, np.sin(angle) * step
    matrix = np.array([[cos, -sin * flip], [sin, cos * flip]])
    reach = 0.5 * step * max(size)
    centre = np.array([generator.uniform(reach, max(reach, n - reach)) for n in region.shape[:2]])
    offset = centre - matrix @ (np.array(size) / 2)
    channels = [
        ndimage.affine_transform(
            region[..., c], matrix, offset, size, order=1, mode="mirror", prefilter=False
        )
        for c in range(1 if _is_grey(name) else 3)
    ]
    return np.stack(channels * (3 // len(channels)), axis=-1)


def relief(generator: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Return (H, W) luminance around 0.5 with random mean and contrast, so neither reveals the texture."""
    values = grey(image)
    values = (values - values.mean()) / (values.std() + 1e-3)
    contrast, mean = generator.uniform(0.13, 0.24), generator.uniform(0.4, 0.6)
    return np.clip(values * contrast + mean, 0, 1).astype(np.float32)


def smooth_noise(generator: np.random.Generator, size: int, sigma: float) -> np.ndarray:
    """Return a (size, size) smooth random field of unit variance."""
    # A field this smooth needs few knots; between them it is almost linear.
    step = max(1, int(sigma / 4))
    knots = -(-size // step)
    coarse = ndimage.gaussian_filter(generator.standard_normal((knots, knots)), sigma / step, mode="nearest")
    field = ndimage.zoom(coarse, step, order=1, grid_mode=False)[:size, :size]
    return ((field - field.mean()) / (field.std() + 1e-9)).astype(np.float32)
