"""Rules that turn score maps into one label map. Every rule: (scores, class ids) -> (H, W) uint8."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wsstool.errors import UsageError
from wsstool.types import IGNORE


def argmax(scores: np.ndarray, class_ids: Sequence[int] | np.ndarray, background: int = -1) -> np.ndarray:
    """Assign each pixel the class with the largest score.

    Args:
        scores: (K, H, W), one channel per class id.
        class_ids: (K,) ids, 0..254, in the order of the channels.
        background: not used; part of the signature of every rule.
    Returns:
        (H, W) uint8 class ids. Ties go to the first channel; without channels all pixels are 255.

    Source:
        Common practice. Independent.

    Example:
        >>> import numpy as np
        >>> argmax(np.array([[[0.2, 0.5]], [[0.9, 0.5]]]), [3, 7]).tolist()
        [[7, 3]]
    """
    if len(scores) == 0:
        return np.full(scores.shape[1:], IGNORE, np.uint8)
    return np.asarray(class_ids, np.uint8)[scores.argmax(0)]


def threshold(
    scores: np.ndarray,
    class_ids: Sequence[int] | np.ndarray,
    background: int = -1,
    *,
    high: float = 0.3,
    low: float = 0.05,
) -> np.ndarray:
    """Assign confident foreground and confident background; pixels between the two thresholds are 255.

    With m = max over foreground classes: the class of m where m >= high, background where m < low, else 255.

    Args:
        scores: (K, H, W) in [0, 1]; a background channel is left out of the comparison.
        class_ids: (K,) ids, 0..254.
        background: class id of the background, or -1 for none: then pixels below ``low`` are 255 too.
        high: in [0, 1]; 0 makes every pixel foreground.
        low: in [0, high]; 0 gives no background. ``low = high`` leaves nothing undecided.
    Returns:
        (H, W) uint8. Ties go to the first channel.

    Raises:
        UsageError: thresholds outside 0 <= low <= high <= 1.

    Notes:
        The defaults are the two constants of IRN practice.

    Source:
        Ahn et al., CVPR 2019 (confident foreground and background areas). Written from the paper.

    Example:
        >>> import numpy as np
        >>> threshold(np.array([[[0.9, 0.2, 0.01]]]), [4], background=0).tolist()
        [[4, 255, 0]]
    """
    if not 0 <= low <= high <= 1:
        raise UsageError(f"rule threshold needs 0 <= low <= high <= 1, not low={low:g}, high={high:g}")
    ids = np.asarray(class_ids, np.int64)
    kept = np.flatnonzero(ids != background)
    best = scores[kept].max(0, initial=0)
    labels = argmax(scores[kept], ids[kept])
    unsure = best < high
    labels[unsure] = IGNORE
    if background >= 0:
        labels[unsure & (best < low)] = background
    return labels
