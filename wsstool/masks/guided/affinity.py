"""Class maps spread along the similarity of features: a random walk between positions that look alike."""

from __future__ import annotations

import math

import numpy as np

from wsstool.errors import BadInputError, UsageError
from wsstool.image_size import size_within
from wsstool.masks.inputs import checked
from wsstool.masks.resize import resize


def affinity(
    scores: np.ndarray,
    image: np.ndarray,
    features: np.ndarray,
    *,
    sharpening: float = 4.0,
    walk_steps: int = 2,
    centre: bool = True,
    grid_side: int = 64,
) -> np.ndarray:
    """Spread the scores of each class to positions with similar features.

    With f_i the feature at position i, divided by its length, a_ij = max(0, f_i . f_j)^sharpening is the
    affinity of two positions and T = D^-1 A the transition matrix of a random walk; the scores become T^t s.

    Args:
        scores: (K, H, W) float32 in [0, 1], background included.
        image: (H, W, 3) uint8 RGB; only its size counts.
        features: (F, h, w) of a network, finite, any scale.
        sharpening: exponent; larger values spread only between very similar positions, 0 averages everything.
        walk_steps: t, the number of steps; 0 keeps the scores, at the resolution of the features.
        centre: subtract the mean feature of the image first; features behind a ReLU are otherwise all alike.
        grid_side: larger feature maps are reduced to this longest side, positions: time and memory grow with
            its fourth power.

    Returns:
        (K, H, W) float32 in [0, 1], within the range of each map, as smooth as the features are coarse.

    Raises:
        UsageError: an invalid option value.
        BadInputError: features that are not finite.

    Notes:
        Published variants learn the affinity (AffinityNet, IRN) or take it from the attention of a
        transformer (CLIP-ES); here it is that of features as they are. The maps lose the resolution of the
        image; ``--refine affinity --refine crf`` gives it back. The defaults are the best on 60 training
        images of msrc21, with features of an ImageNet MobileNetV2 at stride 16, the image at twice its size:
        mIoU 0.594 without, 0.613 with it. At the size of the image it does not help (0.59).

    Source:
        Ahn and Kwak, CVPR 2018, equations 6 to 8 (random walk with a sharpened affinity); Lin et al.,
        CVPR 2023 (CLIP-ES; affinity from features of a frozen network). Written from the papers.

    Example:
        >>> import numpy as np
        >>> features = np.array([[[1.0, 1.0, -1.0, -1.0]]])
        >>> scores = np.array([[[1, 0, 0, 0]], [[0, 0, 0, 1]]], np.float32)
        >>> affinity(scores, np.zeros((1, 4, 3), np.uint8), features)[:, 0].tolist()
        [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """
    if not 0 <= sharpening < math.inf or not 0 <= walk_steps <= 1000 or not 1 <= grid_side <= 128:
        raise UsageError(
            "affinity needs a sharpening of 0 or more, walk_steps in [0, 1000] and grid_side in [1, 128], "
            f"not {sharpening:g}, {walk_steps} and {grid_side}"
        )
    scores = checked(scores, image)
    if scores.size == 0:
        return scores.copy()
    if not np.isfinite(features).all():
        raise BadInputError("the features of the image contain NaN or infinite values")
    size = size_within((features.shape[1], features.shape[2]), grid_side)
    x = resize(features, size).reshape(len(features), -1)  # (F, n)
    if centre:
        x = x - x.mean(1, keepdims=True)
    x = x / np.maximum(np.linalg.norm(x, axis=0), 1e-12)
    walk = np.maximum(x.T @ x, 0) ** np.float32(sharpening)
    np.fill_diagonal(walk, 1)  # a feature of zeros is similar to itself alone
    walk /= walk.sum(1, keepdims=True)
    small = _cell_means(scores, size).reshape(len(scores), -1).T  # (n, K)
    for _ in range(walk_steps):
        small = walk @ small
    spread = small.T.reshape(len(scores), *size)
    return resize(spread, scores.shape[1:]).clip(0, 1)


def _cell_means(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Average (K, H, W) maps over the cells of a grid; a grid finer than the maps reads them bilinearly."""
    for axis, count in ((1, size[0]), (2, size[1])):
        length = maps.shape[axis]
        if count > length:
            wanted = (count, maps.shape[2]) if axis == 1 else (maps.shape[1], count)
            maps = resize(maps, wanted)
            continue
        edges = np.arange(count) * length // count
        widths = np.diff(np.append(edges, length)).reshape((-1, 1) if axis == 1 else (1, -1))
        maps = np.add.reduceat(maps, edges, axis) / widths.astype(np.float32)
    return maps
