"""One loss at the logits of several scales."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from wsstool.errors import UsageError

Target = TypeVar("Target")


def at_scales(
    logits: Sequence[Tensor],
    loss: Callable[[Tensor, Target], Tensor],
    target_at: Callable[[tuple[int, int]], Target],
    weights: Sequence[float] | None = None,
) -> Tensor:
    """Return the weighted sum of a loss over the outputs of a network, each against a target of its size.

    Args:
        logits: (S,1,h,w) each, of any sizes.
        loss: ``f(logits (S,h,w), target) -> scalar``, such as the box losses or a weighted sum of several.
        target_at: (h, w) -> the target on this grid; called once per size.
        weights: one per output; None: 1 each.

    Raises:
        UsageError: another number of weights.
    Source:
        Feng et al., TNNLS 2021: the sum over five scales.
    Example:
        >>> from torch.nn.functional import binary_cross_entropy_with_logits
        >>> maps = [torch.zeros(2, 1, 4, 4), torch.zeros(2, 1, 8, 8)]
        >>> mask = lambda size: torch.ones(2, *size)
        >>> round(at_scales(maps, binary_cross_entropy_with_logits, mask).item(), 4)
        1.3863
    """
    shares = [1.0] * len(logits) if weights is None else list(weights)
    if len(shares) != len(logits):
        raise UsageError(f"{len(shares)} weights for the losses of {len(logits)} scales")
    sizes = [(one.shape[2], one.shape[3]) for one in logits]
    targets = {size: target_at(size) for size in dict.fromkeys(sizes)}
    values = [
        share * loss(one[:, 0], targets[size]) for share, one, size in zip(shares, logits, sizes, strict=True)
    ]
    return torch.stack(values).sum()
