"""Progressive dropout attention: suppress the most discriminative places a little more in every epoch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from wsstool.errors import UsageError


def progressive_dropout(
    features: Tensor,
    weight: Tensor,
    epoch: int,
    *,
    start_epoch: int = 3,
    factor: float = 0.98,
    floor: float = 0.65,
    divisor: float = 4.0,
) -> Tensor:
    """Weight the features by class maps without their peaks, so that less obvious places are used too.

    M_c = max(W_c x, 0), D_c = M_c where M_c <= g max(M_c), else 0, a = sum_c D_c / divisor, x' = a x.

    Args:
        features: x, (B, F, h, w) float, the last feature map in training.
        weight: W, (C, F) or (C, F, 1, 1), of the linear head. Not detached: it also learns through a.
        epoch: index of the epoch, from 0; the strength depends on it alone, so that a resumed run continues
            unchanged.
        start_epoch: first epoch with attention, >= 0; before it x' = x.
        factor: g is multiplied by it every epoch, (0, 1]; see ``peak_share``. 1 never cuts anything.
        floor: g stops decreasing once it is at or below, [0, 1].
        divisor: of the sum over classes, > 0. The published program always divides by 4, whatever the number
            of classes.

    Returns:
        x', (B, F, h, w).

    Raises:
        UsageError: an option outside its range.

    Notes:
        a is not normalised: the scale of the logits changes when attention sets in, and they may overflow at
        a high learning rate. Only values strictly above the threshold are cut: none with g = 1.

    Source:
        Han et al., MedIA 2022, section 3.2. Written from the paper and a description of its program.

    Example:
        >>> x = torch.tensor([1.0, 2.0, 4.0]).view(1, 1, 1, 3)
        >>> progressive_dropout(x, torch.ones(1, 1), 3).flatten().tolist()
        [0.25, 1.0, 0.0]
    """
    if divisor <= 0 or not 0 < factor <= 1 or not 0 <= floor <= 1:
        raise UsageError(
            f"--set divisor={divisor:g}, factor={factor:g}, floor={floor:g}: progressive dropout needs "
            "divisor > 0, factor in (0, 1] and floor in [0, 1]"
        )
    if epoch < start_epoch:
        return features
    maps = F.conv2d(features, weight.reshape(*weight.shape[:2], 1, 1)).relu()  # (B,C,h,w)
    peaks = maps.amax((2, 3), keepdim=True) * peak_share(epoch, factor, floor)
    attention = torch.where(maps > peaks, 0.0, maps).sum(1, keepdim=True) / divisor  # (B,1,h,w)
    return features * attention


def peak_share(epoch: int, factor: float = 0.98, floor: float = 0.65) -> float:
    """Return g, the share of a map's maximum above which it is cut.

    1 in epoch 0, multiplied by ``factor`` after every epoch for as long as it is above ``floor``.

    Example:
        >>> [round(peak_share(epoch), 4) for epoch in (0, 3, 19, 22, 50)]
        [1.0, 0.9412, 0.6812, 0.6412, 0.6412]
    """
    share = 1.0
    for _ in range(epoch):
        if share > floor:
            share *= factor
    return share
