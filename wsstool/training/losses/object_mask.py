"""Loss against an object mask, ground truth or pseudo-mask: cross-entropy and Dice."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from wsstool.training.losses.box_targets import BoxTarget, mean_counted


def object_mask(logits: torch.Tensor, target: BoxTarget) -> torch.Tensor:
    """Compute binary cross-entropy plus Dice loss against an object mask, over the known pixels.

    The Dice loss is 1 - 2 sum(p t) / (sum p^2 + sum t^2).

    Args:
        logits: (B,H,W).
        target: with a ``mask``; samples without known pixels count as 0.
    Returns:
        The mean over the samples that have a mask.
    Source:
        Milletari et al., V-Net, 3DV 2016 (Dice); the sum with cross-entropy is common practice.
    """
    if target.mask is None:
        return logits.sum() * 0
    known = target.valid & ~target.mask.isnan()
    t = target.mask.nan_to_num() * known
    p = logits.sigmoid() * known
    entropy = mean_counted(F.binary_cross_entropy_with_logits(logits, t, reduction="none"), known)
    overlap = (p * t).sum((1, 2))
    dice = 1 - 2 * overlap / (p.square().sum((1, 2)) + t.square().sum((1, 2))).clamp(min=1e-5)
    has_mask = known.flatten(1).any(1)
    return ((entropy + dice) * has_mask).sum() / has_mask.sum().clamp(min=1)
