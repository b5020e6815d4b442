"""Normalised cut on the features of a network: objects as groups of positions that look alike."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.linalg import eigh

from wsstool.errors import BadInputError, UsageError
from wsstool.proposals.masks import from_sets
from wsstool.proposals.superpixels import (
    check_image,
    coarse_enough,
    enlarged,
    felzenszwalb_map,
    renumbered,
    snapped,
    within,
)
from wsstool.regions import Proposals

WEAK = 1e-5
"""Weight of an edge between positions that are not similar: the graph stays connected."""


def ncut(
    image: np.ndarray,
    features: np.ndarray,
    *,
    objects: int = 3,
    threshold: float = 0.15,
    centre: bool = True,
    snap: bool = True,
    grid_side: int = 48,
    max_side: int = 512,
) -> Proposals:
    """Cut the positions of a feature map in two along the weakest similarities, and again without the object.

    With f_i the feature at position i, divided by its length, the affinity is A_ij = 1 if
    f_i . f_j > threshold, else ``WEAK``. The second smallest solution of (D - A) y = lambda D y is cut at its
    mean; the side of the position with the largest |y| is the object, of which the connected part around that
    position is kept. Its positions are removed, and the rest is cut again. What remains after the last
    cut is a region too.

    Args:
        image: (H, W, 3) uint8.
        features: (F, h, w) of a network, finite.
        objects: maximum number of cuts, at least 1.
        threshold: similarity of positions that belong together, (-1, 1).
        centre: subtract the mean feature of the image first; features behind a ReLU are otherwise all alike.
        snap: follow the superpixels of the image; otherwise the outlines are those of the feature grid.
        grid_side: larger feature maps are reduced to this longest side, positions: time grows with its sixth
            power.
        max_side: larger images are reduced before superpixels are computed, pixels; 0: never.

    Returns:
        At most ``objects`` + 1 proposals: objects in the order of the cuts, then the rest.

    Raises:
        BadInputError: not an 8-bit RGB image, or features that are not finite.
        UsageError: an invalid option value.

    Notes:
        One cut is TokenCut, several are MaskCut. Of the two sides, the one with two or more corners of the
        image is taken as background, as in MaskCut. Both papers use the keys of a self-supervised transformer
        and finish with a CRF; here the features are those of any network, and superpixels replace the CRF.

    Source:
        Shi and Malik, PAMI 2000 (normalised cut); Wang et al., TokenCut, CVPR 2022; Wang et al., CutLER,
        CVPR 2023 (MaskCut). Written from the papers.
    """
    check_image(image)
    if not 1 <= objects <= 1000 or not -1 < threshold < 1 or not 1 <= grid_side <= 128:
        raise UsageError(
            "ncut needs objects in [1, 1000], a threshold in (-1, 1) and grid-side in [1, 128], "
            f"not {objects}, {threshold:g} and {grid_side}"
        )
    if not np.isfinite(features).all():
        raise BadInputError("the features of the image contain NaN or infinite values")
    groups = _groups(_reduced(features, grid_side), objects, threshold, centre)
    seen = within(image, max_side)
    grid = enlarged(groups, seen.shape[:2])
    if snap:
        fine = coarse_enough(lambda coarser: felzenszwalb_map(seen, 50, 0.8, 30 * coarser))
        partition = snapped(grid, fine)
    else:
        fine = renumbered(grid)
        partition = np.arange(int(fine.max()) + 1)
    members = partition == np.arange(int(partition.max()) + 1)[:, None]
    return from_sets(enlarged(fine, image.shape[:2]), members)[0]


def _reduced(features: np.ndarray, side: int) -> np.ndarray:
    """Average (F, h, w) features over blocks, so that the longest side has at most ``side`` positions."""
    block = -(-max(features.shape[1:]) // side)
    for axis in (1, 2):
        edges = np.arange(0, features.shape[axis], block)
        counts = np.diff(np.append(edges, features.shape[axis])).reshape(
            (1, -1, 1) if axis == 1 else (1, 1, -1)
        )
        features = np.add.reduceat(features, edges, axis) / counts
    return features


def _groups(features: np.ndarray, objects: int, threshold: float, centre: bool) -> np.ndarray:
    """Number the objects of (F, h, w) features in the order of the cuts, the rest last: (h, w) int."""
    size = features.shape[1:]
    x = features.reshape(len(features), -1).astype(np.float64)
    if centre:
        x = x - x.mean(1, keepdims=True)
    x = x / np.maximum(np.linalg.norm(x, axis=0), 1e-12)
    weights = np.where(x.T @ x > threshold, 1.0, WEAK)
    np.fill_diagonal(weights, 1)
    groups = np.full(size, -1)
    count = 0
    while count < objects:
        free = groups < 0
        found = _object(weights[np.ix_(free.reshape(-1), free.reshape(-1))], free)
        if found is None:
            break
        groups[found] = count
        count += 1
    groups[groups < 0] = count
    return groups


def _object(weights: np.ndarray, free: np.ndarray) -> np.ndarray | None:
    """Return the object of one cut of the ``free`` positions, (h, w) bool; None if they are all alike."""
    count = len(weights)
    if count < 2 or np.ptp(weights[~np.eye(count, dtype=bool)]) == 0:
        return None
    root = 1 / np.sqrt(weights.sum(1))
    # the second largest of the normalised affinity is the second smallest of the Laplacian
    _, vector = eigh(root[:, None] * weights * root, subset_by_index=(count - 2, count - 2))
    y = np.zeros(free.shape)
    y[free] = root * vector[:, 0]
    side = free & (y > y[free].mean())
    if not side.any():
        return None
    strength = np.where(free, np.abs(y), -1)
    if not side.reshape(-1)[strength.argmax()]:
        side = free & ~side
    if side[[0, 0, -1, -1], [0, -1, 0, -1]].sum() >= 2 and (free & ~side).any():
        side = free & ~side
    parts, _ = ndimage.label(side)
    seed = np.where(side, strength, -1).argmax()
    return np.asarray(parts == parts.reshape(-1)[seed])
