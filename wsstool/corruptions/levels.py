"""Parts common to all corruptions: input checks, the constants of a severity, conversion to uint8."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from wsstool.errors import BadInputError, UsageError

SEVERITIES = (1, 2, 3, 4, 5)

Constants = TypeVar("Constants")


def constants_of(image: np.ndarray, severity: int, table: Sequence[Constants]) -> Constants:
    """Check the image and the severity; return the constants of the severity.

    Args:
        image: the image to corrupt.
        severity: 1 to 5.
        table: five entries, mildest first.

    Raises:
        BadInputError: the image is not (H, W, 3) uint8 with at least one pixel.
        UsageError: an unknown severity.

    Example:
        >>> constants_of(np.zeros((2, 2, 3), np.uint8), 2, (0.1, 0.2, 0.3, 0.4, 0.5))
        0.2
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise BadInputError(
            f"a corruption needs an (H, W, 3) uint8 RGB image, not {image.shape} {image.dtype}; repeat the "
            "channel of a greyscale image three times"
        )
    if severity not in SEVERITIES:
        raise UsageError(f"severity {severity}: choose from 1, 2, 3, 4 and 5")
    return table[int(severity) - 1]


def to_levels(values: np.ndarray) -> np.ndarray:
    """Clip values to [0, 255] and truncate them to integers, as the benchmark does.

    Args:
        values: floating, any shape; overwritten.
    Returns:
        uint8 of the same shape.

    Example:
        >>> to_levels(np.array([-3.0, 17.9, 300.0])).tolist()
        [0, 17, 255]
    """
    return np.clip(values, 0, 255, out=values).astype(np.uint8)


def luma(image: np.ndarray) -> np.ndarray:
    """Compute the luma of each pixel, 0.299 R + 0.587 G + 0.114 B (Rec. 601).

    Args:
        image: (H, W, 3) in any unit.
    Returns:
        (H, W) float32 in the same unit.

    Example:
        >>> luma(np.uint8([[[0, 0, 0], [255, 255, 255]]])).round(2).tolist()
        [[0.0, 255.0]]
    """
    return image @ np.array([0.299, 0.587, 0.114], np.float32)
