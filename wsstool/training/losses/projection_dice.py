"""Projection loss: Dice between the row and column maxima and the sides of the box."""

from __future__ import annotations

import torch

from wsstool.training.losses.box_targets import BoxTarget
from wsstool.training.losses.tightness import projections


def projection_dice(logits: torch.Tensor, target: BoxTarget) -> torch.Tensor:
    """Compute the Dice loss between the row and column maxima of a map and the projections of its box.

    1 - 2 sum(p t) / (sum p^2 + sum t^2) for the rows plus the same for the columns; p are the row maxima
    of the map's probabilities, t is 1 if the row intersects the box.

    Args:
        logits: (B,H,W).
        target: the boxes.
    Returns:
        The mean over the batch, 0 to 2.
    Source:
        Tian et al., BoxInst, CVPR 2021, equation 2. Written from the paper.
    """
    rows, columns = projections(logits, target.valid)
    return (
        _dice(rows.sigmoid(), target.rows, target.rows_count)
        + _dice(columns.sigmoid(), target.columns, target.columns_count)
    ).mean()


def _dice(p: torch.Tensor, t: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    p, t = p * counts, t * counts
    return 1 - 2 * (p * t).sum(1) / (p.square().sum(1) + t.square().sum(1)).clamp(min=1e-5)
