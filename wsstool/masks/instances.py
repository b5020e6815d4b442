"""Merge the instance masks of an image into one label map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wsstool.errors import UsageError
from wsstool.types import IGNORE

OVERLAPS = ("ignore", "score")


def merge_instances(
    size: tuple[int, int],
    windows: Sequence[Sequence[int]],
    masks: Sequence[np.ndarray],
    class_ids: Sequence[int],
    scores: Sequence[float],
    boxes: Sequence[Sequence[int]],
    *,
    background: int = 0,
    overlap: str = "ignore",
    min_score: float = 0.0,
) -> np.ndarray:
    """Merge the instance masks of an image into one label map.

    Args:
        size: (H, W) of the image.
        windows: (x0, y0, x1, y1) of each mask, in pixels of the image.
        masks: (h, w) uint8 each: 1 object, 0 not, 255 uncertain.
        class_ids: 0..254 each.
        scores: quality in [0, 1] each.
        boxes: (x0, y0, x1, y1) pixels of each box.
        background: label of pixels outside all objects.
        overlap: where objects of different classes overlap: ``ignore``: 255; ``score``: the better one wins,
            of equal scores the first given.
        min_score: the box of an object below this is 255 except where a better object is; 0 keeps all.

    Returns:
        (H, W) uint8. Uncertain pixels are 255 unless an object of the same class (with ``score`` a better
        one) contains them.

    Raises:
        UsageError: unknown ``overlap``, or a score outside [0, 1].

    Source:
        Ignored regions as in Khoreva et al., CVPR 2017. Independent.

    Example:
        >>> one, all_ = np.array([[1, 1]], np.uint8), [(0, 0, 2, 1), (1, 0, 3, 1)]
        >>> merge_instances((1, 4), all_, [one, one], [3, 5], [0.9, 0.4], all_).tolist()
        [[3, 255, 5, 0]]
    """
    if overlap not in OVERLAPS:
        raise UsageError(f"--overlap {overlap}: give one of {', '.join(OVERLAPS)}")
    if not 0 <= min_score <= 1:
        raise UsageError(f"--min-score {min_score:g}: give a quality in [0, 1]")
    labels = np.full(size, background, np.uint8)
    for box, score in zip(boxes, scores, strict=True):
        if not score >= min_score:
            x0, y0, x1, y1 = box
            labels[y0:y1, x0:x1] = IGNORE
    strong = [k for k, score in enumerate(scores) if score >= min_score]
    if overlap == "score":
        for k in sorted(strong, key=lambda k: (scores[k], -k)):
            x0, y0, x1, y1 = windows[k]
            here = labels[y0:y1, x0:x1]
            here[masks[k] == IGNORE], here[masks[k] == 1] = IGNORE, class_ids[k]
        return labels
    sure_of, named = np.zeros(size, np.uint8), np.zeros(size, np.uint8)  # classes that (may) contain a pixel
    for class_id in sorted({class_ids[k] for k in strong}):
        seen = np.zeros(size, np.uint8)
        for k in strong:
            if class_ids[k] == class_id:
                x0, y0, x1, y1 = windows[k]
                here = seen[y0:y1, x0:x1]
                here[(masks[k] == IGNORE) & (here == 0)] = IGNORE
                here[masks[k] == 1] = 1
        labels[seen == 1] = class_id
        sure_of += seen == 1
        named += seen > 0
    labels[(named > 1) | (named > sure_of)] = IGNORE
    return labels
