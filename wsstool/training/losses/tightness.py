"""Tightness of a box: every row and column through it contains a foreground pixel, all others none."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from wsstool.training.losses.box_targets import BoxTarget, mean_counted


def tightness(logits: torch.Tensor, target: BoxTarget) -> torch.Tensor:
    """Compute the cross-entropy between the row and column maxima of a map and the projections of its box.

    With z the largest logit of a row or column: softplus(-z) if it intersects the box, else softplus(z). The
    maximum is taken on logits (the sigmoid is monotonic), so nothing is clamped and nothing becomes NaN. Used
    alone it fills the object; with ``zero`` it is the adversarial boundary loss and keeps the outline.

    Args:
        logits: (B,H,W).
        target: the boxes.
    Returns:
        The mean over valid rows and columns, then over the batch.
    Source:
        Feng et al., TNNLS 2022, L_tight, as a mean over its H + W terms. Written from notes on the paper.
    Example:
        >>> from wsstool.training.losses.box_targets import box_target
        >>> box = torch.tensor([[0.0, 0.0, 2.0, 2.0]])
        >>> target = box_target(box, torch.zeros(1, 3, 2, 2), torch.tensor([[2, 2]]), (2, 2))
        >>> round(tightness(torch.zeros(1, 2, 2), target).item(), 4)
        0.6931
    """
    rows, columns = projections(logits, target.valid)
    z = torch.cat([rows, columns], 1)
    truth = torch.cat([target.rows, target.columns], 1)
    counts = torch.cat([target.rows_count, target.columns_count], 1)
    losses = F.binary_cross_entropy_with_logits(z, truth, reduction="none")
    return mean_counted(losses, counts).mean()


def projections(logits: torch.Tensor, valid: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (B,H) and (B,W): the largest logit of each row and column, without padding (very low if all)."""
    z = logits.masked_fill(~valid, -1e4)
    return z.amax(2), z.amax(1)
