"""GrabCut initialised and guided by a probability map; colours refine the boundary."""

from __future__ import annotations

import numpy as np

from wsstool.errors import UsageError
from wsstool.image_size import shrink, size_within
from wsstool.regions import box_mask
from wsstool.selection.fillers.graph_cut import Mixture, cut, enlarged, pairs_of, surroundings

_SUREST = 0.95
"""Maximum confidence of the map, so that colour can still overrule it."""

_CERTAIN = 1e5
"""Cost of removing a hard-constrained pixel."""


def grabcut_map(
    size: tuple[int, int],
    box: np.ndarray,
    image: np.ndarray,
    prior: np.ndarray,
    *,
    iterations: int = 2,
    components: int = 5,
    gamma: float = 3.0,
    trust: float = 1.0,
    colours: float = 1.0,
    limit: float = 6.0,
    threshold: float = 0.4,
    cover: bool = True,
    longest_side: int = 128,
) -> np.ndarray:
    """Segment the object by GrabCut, with the probability map as initial mask and as a term of the cost.

    A pixel of the box costs ``trust (logit(map) - logit(threshold)) + colours log(p_object / p_rest)``, p the
    densities of two mixtures of Gaussians, for the colours in the current mask and for all others; the
    logarithm is clipped to +-``limit``. Edges cost as in ``grabcut``.

    An object touches all sides of its box, so each row and column of the box contains part of it. Where the
    mask has none, the pixel of the highest map value becomes object and the cut is recomputed: heads and
    feet, whose colours are rare, come back.

    Args:
        size: (h, w) of the window.
        box: (4,) float xyxy in pixels of the window.
        image: (h, w, 3) uint8 of the window.
        prior: (h, w) probability map of the object, 0 to 1, NaN where unknown.
        iterations: number of updates of mixtures and cut, at least 1.
        components: Gaussians per mixture, at least 1.
        gamma: weight of the edge term, >= 0.
        trust: weight of the map, >= 0.
        colours: weight of the mixtures, >= 0; 0: only the map, cut along the edges of the image.
        limit: maximum influence of a colour, > 0: a colour seen on one side only would overrule the map.
        threshold: value of the map at which object and rest are equally likely, (0, 1); below 0.5 because
            contour maps trained on boxes underestimate the foreground probability.
        cover: cover every row and column of the box; false for loose boxes.
        longest_side: a larger window is reduced first; pixels, at least 8.
    Returns:
        (h, w) uint8: 1 object, 0 not; empty if the map is empty in the box and, without ``cover``, if it
        stays below the threshold or the cut leaves nothing.

    Raises:
        UsageError: an option outside its range.

    Source:
        Rother, Kolmogorov and Blake, SIGGRAPH 2004; rows and columns of the box after the idea of
        Lempitsky et al., ICCV 2009 (pinpointing); the map term is ours.
    """
    if not 1 <= iterations <= 100 or not 1 <= components <= 64:
        raise UsageError("--set: give iterations in [1, 100] and components in [1, 64]")
    if longest_side < 8 or not limit > 0 or not 0 < threshold < 1:
        raise UsageError(
            "--set: give longest_side of at least 8, limit above 0 and threshold between 0 and 1"
        )
    if not all(0 <= value < 1e6 for value in (gamma, trust, colours)):
        raise UsageError("--set: give gamma, trust and colours in [0, 1e6)")
    inside = box_mask(box, size)
    small = size_within(size, longest_side)
    rgb, free = shrink(image, small, "gaussian"), shrink(inside, small, "gaussian") >= 0.5
    known = surroundings(free, components * 4)
    scores = shrink(np.nan_to_num(prior, nan=0.0), small, "gaussian").clip(1 - _SUREST, _SUREST)
    mask = (scores >= threshold) & ~known
    map_cost = trust * (np.log(scores / (1 - scores)) - np.log(threshold / (1 - threshold)))
    pairs = pairs_of(rgb, gamma)
    pixels = rgb.reshape(-1, 3)
    held = np.zeros(small, bool)
    for _ in range(iterations + cover):
        if cover and scores[free].max(initial=0) > 1 - _SUREST:
            held |= _missed(mask, scores, free)
            mask = mask | held
        if not mask.any() or mask.all():
            break
        seen = Mixture(pixels[~mask.reshape(-1)], components).cost(pixels)
        seen -= Mixture(pixels[mask.reshape(-1)], components).cost(pixels)
        cost = map_cost + colours * seen.clip(-limit, limit).reshape(small)
        cost[held] = _CERTAIN
        before, mask = mask, cut(cost, known & ~held, pairs)
        if (before == mask).all():
            break
    return (enlarged(mask, size) & inside).astype(np.uint8)


def _missed(mask: np.ndarray, scores: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Return (h, w) bool: the pixel of highest score in each row and column of the box without a mask."""
    found = np.zeros_like(mask)
    inside = np.where(free, scores, -1.0)
    rows = np.flatnonzero(free.any(1) & ~mask.any(1))
    columns = np.flatnonzero(free.any(0) & ~mask.any(0))
    found[rows, inside[rows].argmax(1)] = True
    found[inside[:, columns].argmax(0), columns] = True
    return found
