"""GrabCut: colour models inside and outside a box, and the minimum cut between them."""

from __future__ import annotations

import numpy as np

from wsstool.errors import UsageError
from wsstool.image_size import shrink, size_within
from wsstool.regions import box_mask
from wsstool.selection.fillers.graph_cut import Mixture, cut, enlarged, pairs_of, surroundings


def grabcut(
    size: tuple[int, int],
    box: np.ndarray,
    image: np.ndarray,
    *,
    iterations: int = 5,
    components: int = 5,
    gamma: float = 3.0,
    longest_side: int = 128,
) -> np.ndarray:
    """Segment the object in a box by GrabCut: colours unlike the surroundings, cut along image edges.

    Pixels outside the box are background. Two mixtures of Gaussians, for the colours of object and
    background, give each pixel of the box a cost; separating neighbours costs
    ``gamma exp(-|z_p - z_q|^2 / (2 <|z_p - z_q|^2>)) / |p - q|``; a minimum cut minimises the sum. Mixtures
    and cut are updated in turn.

    Args:
        size: (h, w) of the window.
        box: (4,) float xyxy in pixels of the window.
        image: (h, w, 3) uint8 of the window, with some surroundings of the box.
        iterations: number of updates, at least 1.
        components: Gaussians per mixture, at least 1.
        gamma: weight of the edge term, >= 0; 0: each pixel is decided independently. The paper's 50 is for
            whole photographs; it leaves a third of the objects of a hundred pixels or less empty.
        longest_side: a larger window is reduced first; pixels, at least 8.
    Returns:
        (h, w) uint8: 1 object, 0 not; empty if the cut leaves nothing.

    Raises:
        UsageError: an option outside its range.

    Notes:
        Deterministic: mixtures are initialised by splitting the largest part along its main axis. If the
        window contains almost nothing outside the box, the border of the box represents the background.

    Source:
        Rother, Kolmogorov and Blake, SIGGRAPH 2004; the start of the mixtures after Orchard and Bouman, TSP
        1991. Written from the papers, on scipy's maximum flow.
    """
    if not 1 <= iterations <= 100 or not 1 <= components <= 64 or not 0 <= gamma < 1e6 or longest_side < 8:
        raise UsageError(
            "--set: give iterations in [1, 100], components in [1, 64], gamma in [0, 1e6), longest_side of 8 "
            "or more"
        )
    inside = box_mask(box, size)
    if not inside.any():
        return np.zeros(size, np.uint8)
    small = size_within(size, longest_side)
    colours, free = shrink(image, small, "gaussian"), shrink(inside, small, "gaussian") >= 0.5
    known = surroundings(free, components * 4)
    mask = free & ~known
    pairs = pairs_of(colours, gamma)
    pixels = colours.reshape(-1, 3)
    for _ in range(iterations):
        if not mask.any() or mask.all():
            break
        cost = Mixture(pixels[~mask.reshape(-1)], components).cost(pixels)
        cost -= Mixture(pixels[mask.reshape(-1)], components).cost(pixels)
        before, mask = mask, cut(cost.reshape(small), known, pairs)
        if (before == mask).all():
            break
    return (enlarged(mask, size) & inside).astype(np.uint8)
