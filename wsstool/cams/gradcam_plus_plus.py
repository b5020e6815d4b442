"""Grad-CAM++: positive gradients weighted by the importance of each position."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wsstool.cams.activations import gradient_maps
from wsstool.cams.result import Cams


def gradcam_plus_plus(model: nn.Module, x: Tensor, targets: Tensor, layers: Sequence[str] = ()) -> Cams:
    """Compute Grad-CAM++ maps, which cover several objects of one class better than Grad-CAM.

    With g = dS_c/dA_k: alpha(p) = g(p)^2 / (2 g(p)^2 + g(p)^3 sum_q A_k(q)),
    w_k = sum_p alpha(p) max(g(p), 0), L_c(p) = sum_k w_k A_k(p).

    Args:
        model: a classifier, (B, 3, H, W) -> (B, C).
        x: (B, 3, H, W) float, normalised as the network expects.
        targets: (B, C) bool, the classes to compute maps for.
        layers: names of layers that output feature maps; none means ``model.default_layer``.

    Returns:
        One (B, C, h, w) float32 map per layer, and the logits.

    Notes:
        The paper differentiates exp(S). That multiplies a whole map by exp(S), which overflows for large
        logits and cancels in alpha, so it is left out. alpha is 0 where its denominator is 0. The final
        rectification is left to the masking step.

    Source:
        Chattopadhay et al., WACV 2018, equations 5, 7 and 19. Written from the paper.
    """
    return gradient_maps(model, x, targets, layers, position_weighted_gradient)


def position_weighted_gradient(a: Tensor, g: Tensor) -> Tensor:
    """Combine activations and gradients (n, F, h, w) into maps (n, h, w).

    >>> position_weighted_gradient(torch.full((1, 1, 1, 2), 2.0), torch.ones(1, 1, 1, 2))
    tensor([[[0.6667, 0.6667]]])
    """
    denominator = 2 + g * a.sum((2, 3), keepdim=True)  # g^2 cancels; where g = 0 the weight is 0 anyway
    alpha = torch.where(denominator == 0, 0.0, 1 / denominator)
    return torch.einsum("bf,bfhw->bhw", (alpha * g.relu()).sum((2, 3)), a)
