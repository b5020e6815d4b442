"""Merge trees in several colour spaces over one fine partition: the default proposals."""

from __future__ import annotations

import numpy as np

from wsstool.errors import UsageError
from wsstool.proposals.contacts import contacts
from wsstool.proposals.histograms import (
    check_spaces,
    colour_histograms,
    in_space,
    lab,
    scaled_lab,
    texture_histograms,
)
from wsstool.proposals.merging import merge_tree
from wsstool.proposals.rank import outline_score
from wsstool.proposals.superpixels import check_image, coarse_enough, felzenszwalb_map, within
from wsstool.proposals.trees import regions
from wsstool.regions import Proposals, superpixel_boxes


def tree(
    image: np.ndarray,
    *,
    spaces: tuple[str, ...] = ("lab", "rgb"),
    scale: float = 50.0,
    sigma: float = 0.8,
    min_size: int = 30,
    texture: float = 0.0,
    size: float = 1.0,
    fill: float = 1.0,
    max_side: int = 512,
) -> Proposals:
    """Build one merge tree per colour space on Felzenszwalb's superpixels; every node is a proposal.

    All trees share the superpixels, so that a record needs only one map. Regions found by several trees count
    once. Ordered by ``rank.outline_score``.

    Args:
        image: (H, W, 3) uint8.
        spaces: colour spaces, comma-separated, of rgb, lab, hsv, rgi, grey; one tree each.
        scale: k of the superpixels: larger values give fewer and larger ones.
        sigma: of the Gaussian smoothing, pixels.
        min_size: smallest superpixel, pixels; doubled until there are few enough.
        texture: weight of the texture histograms relative to colour; 0: none, which is faster.
        size: weight of "small regions merge first"; 0: off.
        fill: weight of "regions that fit into each other merge first"; 0: off.
        max_side: larger images are reduced first, pixels; 0: never. The map has the image's size.

    Returns:
        Superpixels and tree; at most K + T (K - 1) proposals for K superpixels and T spaces.
    Raises:
        BadInputError: not an 8-bit RGB image.
        UsageError: an invalid option value.
    Source: Felzenszwalb and Huttenlocher, IJCV 2004; Uijlings et al., IJCV 2013; written from the papers,
    the order and the shared superpixels are our own.
    """
    check_image(image)
    check_spaces(spaces)
    if min(texture, size, fill) < 0:
        raise UsageError("tree: give weights of at least 0 for texture, size and fill")
    seen = within(image, max_side)
    labels = coarse_enough(lambda coarser: felzenszwalb_map(seen, scale, sigma, min_size * coarser))
    colours = lab(seen)
    touching = contacts(labels, colours)
    areas, boxes = np.bincount(labels.reshape(-1)), superpixel_boxes(labels)
    grain = texture * texture_histograms(labels, in_space(seen, "grey")) if texture else None
    trees = []
    for space in spaces:
        values = scaled_lab(colours) if space == "lab" else in_space(seen, space)
        histograms = colour_histograms(labels, values)
        if grain is not None:
            histograms = np.hstack([histograms, grain])
        trees.append(merge_tree(touching.pairs, areas, boxes, histograms, size=size, fill=fill))
    found = regions(labels, [(np.arange(len(areas)), merges) for merges in trees])
    return found.ranked(outline_score(found, touching), image.shape[:2])
