"""The results of class activation methods."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Cams(NamedTuple):
    """Class maps of one batch, and the logits of the forward pass that produced them.

    Maps are raw: neither rectified at the end nor normalised, so that maps of two classes, layers or images
    can still be compared; the masking step rectifies and normalises them.

    Args:
        maps: one (B, C, h, w) float32 tensor per layer, zero for classes that are not targets.
        logits: (B, C) float32.
    """

    maps: tuple[Tensor, ...]
    logits: Tensor


class Probabilities(Cams):
    """Class maps in [0, 1] that can be compared between images without normalisation.

    Several passes are averaged instead of summed, and masks are made from the maps as they are.
    """

    __slots__ = ()
