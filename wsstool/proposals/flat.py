"""Flat partitions at several scales: fast; every region is a proposal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from wsstool.errors import UsageError
from wsstool.family import option_text
from wsstool.proposals.contacts import contacts
from wsstool.proposals.histograms import lab
from wsstool.proposals.rank import outline_score
from wsstool.proposals.superpixels import (
    check_image,
    coarse_enough,
    felzenszwalb_map,
    renumbered,
    slic_map,
    snapped,
    within,
)
from wsstool.proposals.trees import regions
from wsstool.regions import Proposals

T = TypeVar("T", int, float)
_NO_MERGES = np.zeros((0, 2), np.int64)


def felzenszwalb(
    image: np.ndarray,
    *,
    scales: tuple[float, ...] = (50.0, 100.0, 200.0, 400.0, 800.0),
    sigma: float = 0.8,
    min_size: int = 20,
    max_side: int = 512,
) -> Proposals:
    """Segment the image by Felzenszwalb and Huttenlocher's graph at several scales; regions are proposals.

    The superpixels are those of the finest scale; the regions of the others are built from them, see
    ``superpixels.snapped``, and all are ordered by ``rank.outline_score``.

    Args:
        image: (H, W, 3) uint8.
        scales: values of k, comma-separated: larger ones give fewer and larger components.
        sigma: of the Gaussian smoothing, pixels.
        min_size: smallest component, pixels; doubled until there are few enough.
        max_side: larger images are reduced first, pixels; 0: never. The map has the image's size.

    Raises:
        BadInputError: not an 8-bit RGB image.
        UsageError: an invalid option value.
    Source: Felzenszwalb and Huttenlocher, IJCV 2004; scikit-image's code.
    """
    chosen = sorted(positive("scales", scales))
    seen = _seen(image, max_side)
    fine = coarse_enough(lambda coarser: felzenszwalb_map(seen, chosen[0], sigma, min_size * coarser))
    return _flat(seen, fine, [felzenszwalb_map(seen, k, sigma, min_size) for k in chosen[1:]], image)


def slic(
    image: np.ndarray,
    *,
    segments: tuple[int, ...] = (25, 50, 100, 200, 400),
    compactness: float = 10.0,
    max_side: int = 512,
) -> Proposals:
    """Segment the image into SLIC superpixels of several sizes; regions are proposals.

    The superpixels of the record are the smallest; the regions of the others are built from them, see
    ``superpixels.snapped``, and all are ordered by ``rank.outline_score``.

    Args:
        image: (H, W, 3) uint8.
        segments: approximate number in each map, comma-separated; the largest is halved until there are few
            enough.
        compactness: weight of position against colour: high values give squares.
        max_side: larger images are reduced first, pixels; 0: never. The map has the image's size.

    Raises:
        BadInputError: not an 8-bit RGB image.
        UsageError: an invalid option value.
    Source: Achanta et al., SLIC Superpixels, PAMI 2012; scikit-image's code.
    """
    chosen = sorted(positive("segments", segments), reverse=True)
    seen = _seen(image, max_side)
    fine = coarse_enough(lambda coarser: slic_map(seen, max(1, chosen[0] // coarser), compactness))
    return _flat(seen, fine, [slic_map(seen, count, compactness) for count in chosen[1:]], image)


def positive(name: str, values: tuple[T, ...]) -> tuple[T, ...]:
    """Pass ``values`` through if they are finite numbers above 0, at least one.

    Raises:
        UsageError: anything else.
    """
    if not values or not all(0 < value < math.inf for value in values):
        raise UsageError(f"{name} '{option_text(values)}': write numbers above 0, separated by commas")
    return values


def _seen(image: np.ndarray, max_side: int) -> np.ndarray:
    check_image(image)
    return within(image, max_side)


def _flat(seen: np.ndarray, fine: np.ndarray, coarser: Sequence[np.ndarray], image: np.ndarray) -> Proposals:
    partitions = [np.arange(int(fine.max()) + 1), *(snapped(renumbered(one), fine) for one in coarser)]
    found = regions(fine, [(partition, _NO_MERGES) for partition in partitions])
    return found.ranked(outline_score(found, contacts(fine, lab(seen))), image.shape[:2])
