"""Input checks shared by all refiners."""

from __future__ import annotations

import numpy as np

from wsstool.errors import BadInputError


def checked(scores: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Return the scores as contiguous, writable float32, after checking that they match the image.

    Args:
        scores: (K, H, W), finite.
        image: (H, W, 3) uint8.
    Returns:
        (K, H, W) float32, contiguous, writable; ``scores`` itself if no conversion is needed.

    Raises:
        BadInputError: an image of another size or type, or scores that are NaN or infinite.
    """
    if scores.ndim != 3:
        raise BadInputError(f"score maps have the axes class, row, column; these have {scores.ndim} axes")
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise BadInputError(f"a refiner reads 8-bit RGB images, not {image.dtype} of shape {image.shape}")
    if image.shape[:2] != scores.shape[1:]:
        height, width = image.shape[:2]
        raise BadInputError(
            f"the image is {width} x {height} px, the score maps are {scores.shape[2]} x {scores.shape[1]}"
        )
    if not np.isfinite(scores).all():
        raise BadInputError("the score maps contain NaN or infinite values")
    return writable(scores.astype(np.float32, copy=False))


def writable(array: np.ndarray) -> np.ndarray:
    """Return the array contiguous and writable, copied if it is not: torch warns of read-only arrays."""
    return np.require(array, requirements=["C", "W"])
