"""Pseudo-masks for tissue: all classes share one scale, and only tagged classes may win."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wsstool.masks.rules import argmax
from wsstool.types import IGNORE


def multilayer(
    scores: np.ndarray,
    class_ids: Sequence[int] | np.ndarray,
    background: int = -1,
    tags: Sequence[int] | np.ndarray | None = None,
    *,
    tagged_only: bool = False,
) -> np.ndarray:
    """Assign each pixel the best tagged class, on one scale that the maps of absent classes help to set.

    With s_k = (x_k - min) / (max - min), extremes over all classes and pixels of one layer, a pixel takes
    arg-max_k of s_k, with s_k set to 0 where k is not tagged. Run it on each layer to get one label map per
    layer; layers are never mixed.

    Args:
        scores: (K, H, W) float32 in [0, 1] on one scale (``normalise`` in the mode ``minmax``), absent
            classes included.
        class_ids: (K,) ids, 0..254, rising.
        background: not used; part of the signature of every rule.
        tags: ids of the classes that are in the image; None: all.
        tagged_only: exclude absent classes from the comparison, so that none of them wins a tie.
    Returns:
        (H, W) uint8 class ids; 255 everywhere when no class is tagged.

    Notes:
        Ties go to the lowest id. As published, absent classes take part with score 0: a pixel at which every
        tagged class has the joint minimum takes the lowest id of all, tagged or not. This concerns one or a
        few pixels wherever a tagged class has that minimum, and a quarter of a map cell if that is in a
        corner of the image; ``tagged_only`` keeps them in the tagged classes.
        A stack without any positive score (such as a constant one) has no information: the lowest tagged id
        wins, where the published division by zero lets the first NaN win, to the same effect.
        When maps of absent classes are missing, the extremes are those of the available maps, and only their
        classes take part.

    Source:
        Han et al., "Multi-layer pseudo-supervision for histopathology tissue semantic segmentation using
        patch-level classification labels", MedIA 2022. Written from the paper and from a list of facts on
        the behaviour of its program.

    Example:
        >>> import numpy as np
        >>> maps = np.array([[[0.9, 0.5, 0.0]], [[0.2, 0.1, 0.0]], [[0.1, 0.4, 0.0]]])
        >>> multilayer(maps, [0, 1, 2], tags=[1, 2]).tolist()
        [[1, 2, 0]]
        >>> multilayer(maps, [0, 1, 2], tags=[1, 2], tagged_only=True).tolist()
        [[1, 2, 1]]
    """
    ids = np.asarray(class_ids, np.int64)
    allowed = np.ones(len(ids), bool) if tags is None else np.isin(ids, tags)
    if not allowed.any():
        return np.full(scores.shape[1:], IGNORE, np.uint8)
    if tagged_only or not (scores > 0).any():
        return argmax(scores[allowed], ids[allowed])
    return argmax(np.where(allowed[:, None, None], scores, 0), ids)
