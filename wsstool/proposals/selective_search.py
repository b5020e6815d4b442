"""Selective search with its published similarities and diversity, as regions and not as boxes."""

from __future__ import annotations

from itertools import product

import numpy as np

from wsstool.errors import UsageError
from wsstool.family import option_text
from wsstool.proposals.contacts import contacts
from wsstool.proposals.flat import positive
from wsstool.proposals.histograms import check_spaces, colour_histograms, in_space, lab, texture_histograms
from wsstool.proposals.merging import merge_tree
from wsstool.proposals.rank import outline_score
from wsstool.proposals.superpixels import (
    check_image,
    coarse_enough,
    felzenszwalb_map,
    renumbered,
    snapped,
    within,
)
from wsstool.proposals.trees import regions
from wsstool.regions import Proposals, superpixel_boxes

SIMILARITIES = "ctsf"


def selective_search(
    image: np.ndarray,
    *,
    spaces: tuple[str, ...] = ("hsv", "lab"),
    similarities: tuple[str, ...] = ("ctsf", "tsf"),
    scales: tuple[float, ...] = (50.0, 100.0),
    sigma: float = 0.8,
    min_size: int = 20,
    max_side: int = 512,
) -> Proposals:
    """One merge tree for each colour space, each set of similarities and each scale; every node counts.

    The defaults are the paper's fast mode: 8 trees on 4 partitions. A tree starts from the partition of its
    own colour space and scale, in terms of the superpixels of the first space and the smallest scale, see
    ``superpixels.snapped``: a record keeps one map.

    Args:
        image: (H, W, 3) uint8.
        spaces: colour spaces: rgb, lab, hsv, rgi, grey.
        similarities: sets of the letters c (colour), t (texture), s (size: small regions merge first) and f
            (fill: regions that fit into each other merge first); those of one set add up.
        scales: values of k of Felzenszwalb's partition.
        sigma: of the Gaussian before, pixels.
        min_size: smallest superpixel of a partition, pixels; doubled until there are few enough.
        max_side: larger images are made this small first, pixels; 0: never. The map has the image's size.

    Raises:
        BadInputError: not an RGB image of 8 bits.
        UsageError: an option's value.

    Notes:
        The order is that of ``rank.outline_score``; the paper draws it at random. Texture is measured with
        Gaussian derivatives that are turned to 8 directions from two.
    Source: Uijlings, van de Sande, Gevers and Smeulders, IJCV 2013, section 3; written from the paper.
    """
    check_image(image)
    if not similarities or not all(part and set(part) <= set(SIMILARITIES) for part in similarities):
        typed = option_text(similarities)
        raise UsageError(f"similarities '{typed}': write sets of the letters c, t, s, f, separated by commas")
    positive("scales", scales)
    seen = within(image, max_side)
    check_spaces(spaces)
    values = [in_space(seen, space) for space in spaces]
    fine = coarse_enough(
        lambda coarser: felzenszwalb_map(255 * values[0], min(scales), sigma, min_size * coarser)
    )
    colours = lab(seen)
    grown = []
    for channels, k in product(values, scales):
        partition = snapped(renumbered(felzenszwalb_map(255 * channels, k, sigma, min_size)), fine)
        own = partition[fine]
        pairs, areas = contacts(own, colours).pairs, np.bincount(own.reshape(-1))
        boxes = superpixel_boxes(own)
        colour, texture = colour_histograms(own, channels), texture_histograms(own, channels)
        for part in similarities:
            both = [h for letter, h in (("c", colour), ("t", texture)) if letter in part]
            histograms = np.hstack(both) if both else np.zeros((len(areas), 1))
            merges = merge_tree(
                pairs, areas, boxes, histograms, size=float("s" in part), fill=float("f" in part)
            )
            grown.append((partition, merges))
    found = regions(fine, grown)
    return found.ranked(outline_score(found, contacts(fine, colours)), image.shape[:2])
