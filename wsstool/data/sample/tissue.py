"""Tissue-like mosaics: patches of four textures with organic boundaries, each pixel of one of them.

All textures use the same two stain colours with random tone and contrast per patch: colour and brightness
carry no information about the class, only structure does. White gaps belong to no class (255).
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from wsstool.data.sample.drawing import crop, relief, smooth_noise
from wsstool.types import IGNORE, ClassList

CLASSES = ClassList(
    ("brick", "grass", "gravel", "glands"), -1, ((230, 159, 0), (0, 158, 115), (0, 114, 178), (204, 121, 167))
)

_SOURCES = ("brick", "grass", "gravel", "ihc")
_WINDOWS = (
    150.0,
    110.0,
    190.0,
    130.0,
)  # source pixels across an image: the grain of all four is about equal
_SMALLEST = 0.08  # minimum share of the image for a tissue to be tagged


def draw(generator: np.random.Generator, size: int, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Draw one patch.

    Args:
        generator: the only source of randomness.
        size: rows and columns, pixels.
        part: ``train``, ``val`` or ``test``: which raw material may be used.

    Returns:
        image (size, size, 3) uint8 and mask (size, size) uint8 class ids, 255 in gaps.
    """
    mask = _regions(generator, size)
    dark, light = _stain(generator)
    image = np.zeros((size, size, 3), np.float32)
    total = np.zeros((size, size, 1), np.float32)
    for class_id in np.unique(mask):
        window = _WINDOWS[class_id] * generator.uniform(0.8, 1.25)
        texture = relief(generator, crop(generator, _SOURCES[class_id], (size, size), window, part=part))
        tint = generator.normal(0, 0.03, 3).astype(np.float32)
        coloured = dark + (light - dark) * texture[..., None] + tint
        weight = ndimage.gaussian_filter((mask == class_id).astype(np.float32), size / 110)[..., None]
        image += weight * coloured
        total += weight
    image /= np.maximum(total, 1e-6)
    image *= 1 + 0.06 * smooth_noise(generator, size, size / 4)[..., None]
    if generator.random() < 0.3:
        gap = smooth_noise(generator, size, size / 16) > 1.9
        soft = ndimage.gaussian_filter(gap.astype(np.float32), size / 160)[..., None]
        image = image * (1 - soft) + 0.95 * soft
        mask[gap] = IGNORE
    image += generator.normal(0, 0.015, image.shape)
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8), mask


def _regions(generator: np.random.Generator, size: int) -> np.ndarray:
    """Return (size, size) uint8: one to four tissues, none of them small."""
    n = len(CLASSES)
    present = generator.permutation(n)[: generator.choice((1, 2, 3, 4), p=(0.2, 0.42, 0.28, 0.1))]
    if len(present) == 1:
        return np.full((size, size), present[0], np.uint8)
    while True:
        fields = np.stack(
            [smooth_noise(generator, size, size / 7) + generator.normal(0, 0.3) for _ in present]
        )
        # Fine noise makes the boundary ragged, as between tissues.
        fields += 0.1 * np.stack([smooth_noise(generator, size, size / 32) for _ in present])
        winner = fields.argmax(axis=0)
        if (np.bincount(winner.ravel(), minlength=len(present)) >= _SMALLEST * size * size).all():
            return present[winner].astype(np.uint8)


def _stain(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the dark and light colour of one patch: between purple and pink, strong or faint."""
    purple, pink = np.array([0.33, 0.18, 0.5]), np.array([0.68, 0.22, 0.42])
    dark = purple + (pink - purple) * generator.random() + generator.normal(0, 0.05, 3)
    light = np.array([0.94, 0.82, 0.9]) + generator.normal(0, 0.04, 3)
    return dark.astype(np.float32), light.astype(np.float32)
