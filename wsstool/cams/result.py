"""What every class activation method answers."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Cams(NamedTuple):
    """Class maps of one batch, and the logits of the forward pass that made them.

    Maps are raw: neither rectified at the end nor normalised, so that maps of two classes, layers or images
    can still be compared; whoever makes masks from them rectifies and normalises.

    Args:
        maps: one (B, C, h, w) float32 tensor a layer, zero for the classes that were not asked for.
        logits: (B, C) float32.
    """

    maps: tuple[Tensor, ...]
    logits: Tensor
