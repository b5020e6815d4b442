"""Pictures that methods of proposals are tried on."""

import numpy as np


def scene(size: tuple[int, int] = (60, 80), seed: int = 0) -> tuple[np.ndarray, list[np.ndarray]]:
    """Three flat discs and boxes on a flat ground, with a little noise: image and the masks of the things."""
    rows, columns = np.indices(size)
    h, w = size
    masks = [
        (rows - 0.3 * h) ** 2 + (columns - 0.25 * w) ** 2 < (0.2 * h) ** 2,
        (abs(rows - 0.7 * h) < 0.18 * h) & (abs(columns - 0.7 * w) < 0.15 * w),
        (abs(rows - 0.25 * h) < 0.1 * h) & (abs(columns - 0.75 * w) < 0.08 * w),
    ]
    image = np.full((*size, 3), (90, 120, 60), float)
    for mask, colour in zip(masks, ((220, 60, 40), (40, 60, 200), (240, 230, 90)), strict=True):
        image[mask] = colour
    noise = np.random.default_rng(seed).normal(0, 4, image.shape)
    return (image + noise).clip(0, 255).astype(np.uint8), masks


def noise(size: tuple[int, int], seed: int = 0) -> np.ndarray:
    """An image of random colours."""
    return np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)
