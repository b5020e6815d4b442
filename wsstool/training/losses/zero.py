"""The zero constraint: every foreground pixel is penalised, so that only necessary ones remain."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from wsstool.training.losses.box_targets import BoxTarget, check_least


def zero(logits: torch.Tensor, target: BoxTarget, *, reference: float = 320.0) -> torch.Tensor:
    """Penalise every foreground pixel: cross-entropy of the whole map against zero, softplus(z) per pixel.

    Compared with the H + W terms of ``tightness`` these are H W terms: at one weight, the balance of the two
    grows with the side of the map, as weight x H / 2. The published 0.05 is for maps of 320 pixels (balance
    8). So the sum is divided by the number of rows and columns, as in ``tightness``, and multiplied by
    ``reference`` / H: the same weight then means the same balance on a map of any size.

    Args:
        logits: (B,H,W).
        target: the boxes; padding is ignored.
        reference: side of the map, pixels, for which the weight is chosen; 0: no correction.
    Notes:
        With the correction, a weight above about 0.25 suppresses the outline; 0.01 to 0.05 keeps it.
    Source:
        Feng et al., TNNLS 2022, L_zero with lambda = 0.05; the correction is ours.
    """
    check_least("reference", reference, 0)
    height, width = logits.shape[-2:]
    side = (height + width) / 2
    losses = torch.where(target.valid, F.softplus(logits), logits.new_zeros(()))
    return losses.sum((1, 2)).mean() / (height + width) * (reference / side if reference else 1.0)
