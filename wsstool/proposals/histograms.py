"""Colour and texture histograms of every superpixel, as compared by selective search."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.ndimage import gaussian_filter

from wsstool.errors import UsageError

COLOUR_BINS, TEXTURE_BINS, ORIENTATIONS = 25, 10, 8
_LOWEST = np.array([0, 128, 128], np.float32)
_RANGE = np.array([100, 255, 255], np.float32)
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def lab(image: np.ndarray) -> np.ndarray:
    """Convert an 8-bit RGB image to CIE Lab, (H, W, 3) float32: L 0 to 100, a and b around 0."""
    from skimage.color import rgb2lab

    return rgb2lab(image.astype(np.float32) / 255).astype(np.float32)


def _lab(image: np.ndarray) -> np.ndarray:
    return scaled_lab(lab(image))


def scaled_lab(colours: np.ndarray) -> np.ndarray:
    """Scale the result of ``lab`` to (H, W, 3) float32 in [0, 1]."""
    return (colours + _LOWEST) / _RANGE


def _rgb(image: np.ndarray) -> np.ndarray:
    return image / np.float32(255)


def _hsv(image: np.ndarray) -> np.ndarray:
    from skimage.color import rgb2hsv

    return rgb2hsv(image).astype(np.float32)


def _rgi(image: np.ndarray) -> np.ndarray:
    """Return two normalised colours and the intensity: shadows change one channel only."""
    total = image.sum(2, dtype=np.float32, keepdims=True)
    return np.concatenate([image[:, :, :2] / np.maximum(total, 1), total / 765], 2)


def _grey(image: np.ndarray) -> np.ndarray:
    return (image @ _LUMA / 255)[:, :, None]


SPACES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "rgb": _rgb,
    "lab": _lab,
    "hsv": _hsv,
    "rgi": _rgi,
    "grey": _grey,
}
"""Colour space -> function from (H, W, 3) uint8 to (H, W, C) float32 in [0, 1]."""


def check_spaces(names: Sequence[str]) -> None:
    """Raise UsageError unless there is at least one name and all are colour spaces of ``SPACES``."""
    if unknown := [name for name in names or [""] if name not in SPACES]:
        raise UsageError(f"no colour space '{unknown[0]}'; there are: {', '.join(SPACES)}")


def in_space(image: np.ndarray, name: str) -> np.ndarray:
    """Convert an RGB image to a colour space of ``SPACES``, (H, W, C) float32 in [0, 1]."""
    return np.asarray(SPACES[name](image), np.float32)


def colour_histograms(labels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the colour histograms, (S, 25 C) float64: 25 bins per channel, each row sums to 1.

    Args:
        labels: (H, W) int, 0 to S - 1.
        values: (H, W, C) in [0, 1].
    """
    return _histograms(labels, values, COLOUR_BINS)


def texture_histograms(labels: np.ndarray, values: np.ndarray, sigma: float = 1.0) -> np.ndarray:
    """Return the texture histograms, (S, 80 C) float64; each row sums to 1.

    10 bins of the Gaussian derivative in each of 8 directions. Only increasing brightness counts in a
    direction. The bins cover the range of each channel in this image.

    Args:
        labels: (H, W) int.
        values: (H, W, C).
        sigma: of the Gaussian, pixels.
    """
    found = []
    for channel in np.moveaxis(values, 2, 0):
        across = gaussian_filter(channel, sigma, (0, 1))
        down = gaussian_filter(channel, sigma, (1, 0))
        angles = np.arange(ORIENTATIONS) * (2 * np.pi / ORIENTATIONS)
        found += [np.maximum(np.cos(t) * across + np.sin(t) * down, 0) for t in angles.tolist()]
    responses = np.stack(found, 2)
    return _histograms(labels, responses / max(float(responses.max()), 1e-6), TEXTURE_BINS)


def _histograms(labels: np.ndarray, values: np.ndarray, bins: int) -> np.ndarray:
    n, channels = int(labels.max()) + 1, values.shape[2]
    start = labels.reshape(-1).astype(np.int64) * bins
    found = np.empty((n, channels, bins))
    for c in range(channels):
        bin_ = np.clip((values[:, :, c].reshape(-1) * bins).astype(np.int64), 0, bins - 1)
        found[:, c] = np.bincount(start + bin_, minlength=n * bins).reshape(n, bins)
    area = np.bincount(labels.reshape(-1), minlength=n)
    return found.reshape(n, -1) / (area[:, None] * channels)
