"""GrabCut: colours inside and outside a box, and the cut of least cost between them."""

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
    """The part of the box whose colours differ from those around it, cut along the edges of the image.

    Pixels outside the box are background. Two mixtures of Gaussians, of the object's and the background's
    colours, give each pixel of the box a cost; neighbours that are torn apart cost
    ``gamma exp(-|z_p - z_q|^2 / (2 <|z_p - z_q|^2>)) / |p - q|``; the least sum is a minimum cut.
    Mixtures and cut are made in turns.

    Args:
        size: (h, w) of the window.
        box: (4,) float xyxy in pixels of the window.
        image: (h, w, 3) uint8 of the window, with some surroundings of the box.
        iterations: turns, at least 1.
        components: Gaussians of each mixture, at least 1.
        gamma: cost of an edge, >= 0; 0 lets each pixel decide alone. The paper's 50 is for whole photographs;
            of a third of the objects that measure a hundred pixels or less it leaves nothing.
        longest_side: a larger window is made smaller first; pixels, at least 8.
    Returns:
        (h, w) uint8: 1 object, 0 not; empty where the cut leaves nothing.

    Raises:
        UsageError: an option outside its range.

    Notes:
        Deterministic: mixtures start by splitting the largest part along its main axis. Where the window has
        next to nothing outside the box, the rim of the box stands for the background.

    Source:
        Rother, Kolmogorov and Blake, SIGGRAPH 2004; the start of the mixtures after Orchard and Bouman, TSP
        1991. Written from the papers, on scipy's maximum flow.
    """
    if iterations < 1 or components < 1 or not 0 <= gamma < 1e6 or longest_side < 8:
        raise UsageError(
            "--set iterations and components are at least 1, gamma in [0, 1e6) and longest_side at least 8"
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
