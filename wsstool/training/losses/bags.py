"""Multiple-instance box loss: lines across the box contain the object, lines beside it do not."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from wsstool.training.losses.box_targets import BoxTarget, check_least, mean_counted
from wsstool.training.losses.pairwise import NEIGHBOURS, shifted
from wsstool.training.losses.tightness import projections


def bags(logits: torch.Tensor, target: BoxTarget, *, smoothness: float = 0.05) -> torch.Tensor:
    """Compute the cross-entropy of positive and negative bags (lines) plus a smoothness term.

    Positive bags are the rows and columns of the box, cut at its border (foreground pixels outside do not
    help them, unlike in ``tightness``); negative bags are the whole rows and columns beside the box. The
    score of a bag is the maximum over its pixels; the positive and negative means are averaged. Smoothness:
    the squared difference of the probabilities of neighbours.

    Args:
        logits: (B,H,W).
        target: the boxes.
        smoothness: weight of the smoothness term, >= 0.
    Source:
        Hsu et al., BBTP, NeurIPS 2019. Written from notes on the paper; all bags instead of sampled ones.
    """
    check_least("smoothness", smoothness, 0)
    inside_rows, inside_columns = projections(logits, target.inside)
    rows, columns = projections(logits, target.valid)
    meets = torch.cat([target.rows, target.columns], 1) > 0
    counts = torch.cat([target.rows_count, target.columns_count], 1)
    positive = F.softplus(-torch.cat([inside_rows, inside_columns], 1))
    negative = F.softplus(torch.cat([rows, columns], 1))
    loss = mean_counted(positive, meets & counts) + mean_counted(negative, ~meets & counts)
    if smoothness:
        p = logits.sigmoid()
        steps = [(p - other).square() for other in (shifted(p, dy, dx, 1) for dy, dx in NEIGHBOURS)]
        pairs = [target.valid & shifted(target.valid, dy, dx, 1) for dy, dx in NEIGHBOURS]
        loss = loss + smoothness * mean_counted(torch.stack(steps, 1), torch.stack(pairs, 1))
    return loss.mean()
