"""Ignore bands: set uncertain pixels to 255, so that they are not trained on."""

from __future__ import annotations

import numpy as np

from wsstool.errors import UsageError
from wsstool.types import IGNORE


def margin(scores: np.ndarray) -> np.ndarray:
    """Return the best minus the second-best score of each pixel.

    Args:
        scores: (K, H, W).
    Returns:
        (H, W) float32 >= 0. With one channel the second best counts as 0; with none all is 0.

    Example:
        >>> import numpy as np
        >>> margin(np.array([[[0.75]], [[0.25]], [[0.5]]])).tolist()
        [[0.25]]
    """
    if len(scores) == 0:
        return np.zeros(scores.shape[1:], np.float32)
    if len(scores) == 1:
        return np.asarray(scores[0], np.float32)
    top = np.partition(scores, len(scores) - 2, axis=0)[-2:]
    return (top[1] - top[0]).astype(np.float32)


def ignore_band(labels: np.ndarray, scores: np.ndarray, width: float) -> np.ndarray:
    """Set pixels to 255 whose best score is less than ``width`` above the second best.

    Args:
        labels: (H, W) uint8, not changed.
        scores: (K, H, W) in [0, 1], from which the labels were made.
        width: in [0, 1]; 0 leaves the labels unchanged, 1 keeps only pixels with scores 1 and 0.
    Returns:
        (H, W) uint8.

    Raises:
        UsageError: ``width`` outside [0, 1].
    """
    if not 0 <= width <= 1:
        raise UsageError(f"the ignore margin must lie in [0, 1], not {width:g}")
    if width == 0:
        return labels
    return np.where(margin(scores) < width, np.uint8(IGNORE), labels)


def ignore_weak(labels: np.ndarray, strength: np.ndarray, floor: float, background: int = -1) -> np.ndarray:
    """Set foreground pixels to 255 where the class maps are weak.

    Args:
        labels: (H, W) uint8, not changed.
        strength: (H, W) in [0, 1], best value of all maps relative to the greatest of the image.
        floor: in [0, 1]; pixels with a lower strength are ignored.
        background: class id whose pixels stay, however weak the maps are there; -1: none.
    Returns:
        (H, W) uint8.

    Source:
        Independent. Training on confident pixels alone; an image with one tag and no background would else
        be that class from edge to edge.

    Example:
        >>> ignore_weak(np.uint8([[5, 5, 0]]), np.array([[0.9, 0.2, 0.2]]), 0.4, background=0).tolist()
        [[5, 255, 0]]
    """
    return np.where((strength < floor) & (labels != background), np.uint8(IGNORE), labels)


def agreed(foreground_pass: np.ndarray, background_pass: np.ndarray, background: int) -> np.ndarray:
    """Combine two label maps, one made with a high and one with a low background score.

    A pixel takes the class of the first if that is foreground, is background if both agree on it, and is 255
    otherwise.

    Args:
        foreground_pass: (H, W) uint8, made with the high background score: its foreground is reliable.
        background_pass: (H, W) uint8, made with the low one: its background is reliable.
        background: class id of the background.
    Returns:
        (H, W) uint8.

    Source:
        Ahn et al., CVPR 2019, "confident areas". Written from the paper.

    Example:
        >>> import numpy as np
        >>> agreed(np.uint8([[5, 0, 0]]), np.uint8([[5, 5, 0]]), 0).tolist()
        [[5, 255, 0]]
    """
    disagree = (foreground_pass == background) & (background_pass != background)
    return np.where(disagree, np.uint8(IGNORE), foreground_pass)
