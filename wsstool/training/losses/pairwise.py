"""Pairwise colour-affinity loss: neighbours of similar colour have the same label."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from wsstool.errors import UsageError
from wsstool.training.losses.box_targets import BoxTarget, check_least, mean_counted

NEIGHBOURS = ((0, 1), (1, -1), (1, 0), (1, 1))
"""Half of the eight neighbours, as (row, column) steps: each pair counts once."""


def pairwise(
    logits: torch.Tensor,
    target: BoxTarget,
    *,
    dilation: int = 2,
    similarity: float = 0.3,
    warmup: float = 0.15,
) -> torch.Tensor:
    """Compute -log of the probability that neighbours of similar colour share a label, inside the box.

    P(same) = p q + (1 - p)(1 - q). Pairs count if exp(-d / 2) >= ``similarity``, d the distance of their
    colours in CIELAB, and one of the two is in the box.

    Args:
        logits: (B,H,W).
        target: the boxes, with the image.
        dilation: distance of the neighbours, cells of the map.
        similarity: (0, 1]; 0.3 is a distance of 2.4 units, hardly visible.
        warmup: share of the training over which the weight rises from 0: otherwise all-background wins.
    Returns:
        The mean over pairs, then over the batch.
    Source:
        Tian et al., BoxInst, CVPR 2021, equations 3 to 6. Written from the paper.
    """
    check_least("dilation", dilation, 1)
    if not 0 < similarity <= 1 or not 0 <= warmup <= 1:
        raise UsageError("--set: give similarity in (0, 1] and warmup in [0, 1]")
    log_on, log_off = F.logsigmoid(logits), F.logsigmoid(-logits)
    colours, inside = lab(target.image), target.inside
    losses, pairs = [], []
    for dy, dx in NEIGHBOURS:
        on, off = (shifted(one, dy, dx, dilation) for one in (log_on, log_off))
        losses.append(-torch.logaddexp(log_on + on, log_off + off))
        distance = (colours - shifted(colours, dy, dx, dilation)).square().sum(1).sqrt()
        alike = torch.exp(-distance / 2) >= similarity
        both_real = target.valid & shifted(target.valid, dy, dx, dilation)
        pairs.append(alike & both_real & (inside | shifted(inside, dy, dx, dilation)))
    loss = mean_counted(torch.stack(losses, 1), torch.stack(pairs, 1)).mean()
    return loss * (min(1.0, target.done / warmup) if warmup else 1.0)


def shifted(values: torch.Tensor, dy: int, dx: int, by: int) -> torch.Tensor:
    """Shift (...,H,W): element (y, x) becomes that at (y + dy by, x + dx by); 0 outside."""
    dy, dx = dy * by, dx * by
    height, width = values.shape[-2:]
    moved = torch.zeros_like(values)
    if abs(dy) < height and abs(dx) < width:
        to = (..., slice(max(0, -dy), height - max(0, dy)), slice(max(0, -dx), width - max(0, dx)))
        source = (..., slice(max(0, dy), height + min(0, dy)), slice(max(0, dx), width + min(0, dx)))
        moved[to] = values[source]
    return moved


def lab(rgb: torch.Tensor) -> torch.Tensor:
    """Convert (B,3,H,W) sRGB in [0, 1] to CIELAB under D65.

    Source: IEC 61966-2-1 and CIE 15.
    """
    linear = torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055).clamp(min=0) ** 2.4, rgb / 12.92)
    matrix = linear.new_tensor(
        [
            [0.412453, 0.357580, 0.180423],
            [0.212671, 0.715160, 0.072169],
            [0.019334, 0.119193, 0.950227],
        ]
    )
    white = linear.new_tensor([0.95047, 1.0, 1.08883])
    xyz = torch.einsum("ij,bjhw->bihw", matrix / white[:, None], linear)
    f = torch.where(xyz > 0.008856, xyz.clamp(min=1e-6) ** (1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = f.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)
