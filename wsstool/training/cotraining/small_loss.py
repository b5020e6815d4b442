"""Small-loss selection: the labelled pixels that a network trusts, and how many of them at each step."""

from __future__ import annotations

import torch

from wsstool.errors import UsageError

POOLS = ("batch", "image", "class")


def keep_share(step: float, *, noise_rate: float, ramp_steps: float) -> float:
    """Return the share of pixels kept at a step: R(t) = 1 - noise_rate * min(t / ramp_steps, 1).

    Args:
        step: optimiser steps since selection began; below 0 nothing is dropped.
        noise_rate: assumed share of wrong pixels, [0, 1); 0 keeps all.
        ramp_steps: steps until the full share is dropped; 0 drops it at once.
    Source:
        Han et al., NeurIPS 2018, algorithm 1 and section 3 (c = 1). Written from the paper.
    Example:
        >>> [keep_share(t, noise_rate=0.2, ramp_steps=10) for t in (0, 5, 10, 99)]
        [1.0, 0.9, 0.8, 0.8]
    """
    if step < 0:
        return 1.0
    ramp = min(step / ramp_steps, 1.0) if ramp_steps > 0 else 1.0
    return 1.0 - noise_rate * ramp


def kept_count(n: int, share: float) -> int:
    """Return how many of ``n`` pixels are kept: rounded, halves up; at least one unless n is 0."""
    return min(n, max(1, int(share * n + 0.5))) if n else 0


@torch.no_grad()
def small_loss_pixels(
    losses: torch.Tensor, labels: torch.Tensor, valid: torch.Tensor, share: float, *, pool: str = "batch"
) -> torch.Tensor:
    """Select the valid pixels whose loss is among the smallest ``share`` of their pool.

    Args:
        losses: (B,H,W) loss of each pixel; ranked in float32 whatever its precision.
        labels: (B,H,W) class ids, used by the pool ``class``.
        valid: (B,H,W) bool; other pixels are excluded before ranking and never kept.
        share: share kept in each pool, (0, 1].
        pool: ``batch`` ranks all pixels together, so that a bad mask may be dropped completely; ``image``
            keeps the share in each image, ``class`` in each labelled class.

    Returns:
        (B,H,W) bool; each pool of n valid pixels has exactly ``kept_count(n, share)`` of them, even with
        ties, because indices are selected and not a threshold.

    Raises:
        UsageError: unknown pool.
    Source:
        Han et al., NeurIPS 2018, algorithm 1, per pixel. Written from the paper.
    Example:
        >>> every = torch.ones(1, 1, 4, dtype=torch.bool)
        >>> small_loss_pixels(torch.tensor([[[3., 1., 2., 9.]]]), every.long(), every, 0.5).int().tolist()
        [[[0, 1, 1, 0]]]
    """
    if pool not in POOLS:
        raise UsageError(f"no pool '{pool}' for small-loss selection; there are: {', '.join(POOLS)}")
    if share >= 1.0:
        return valid.clone()
    index = valid.flatten().nonzero().squeeze(1)  # (n,) flat positions of the valid pixels
    ranked = losses.detach().float().flatten()[index]
    if pool == "batch":
        groups = torch.zeros_like(index)
    elif pool == "image":
        groups = index // (losses.shape[1] * losses.shape[2])
    else:
        groups = labels.flatten()[index].long()
    kept = valid.flatten().clone()
    for group in groups.unique().tolist():
        members = (groups == group).nonzero().squeeze(1)
        n_dropped = len(members) - kept_count(len(members), share)
        worst = torch.topk(ranked[members], n_dropped, sorted=False).indices
        kept[index[members[worst]]] = False
    return kept.view_as(valid)
