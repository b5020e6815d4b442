"""Grad-CAM++: positive gradients weighed by how much each position matters."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wsstool.cams.activations import gradient_maps
from wsstool.cams.result import Cams


def gradcam_plus_plus(model: nn.Module, x: Tensor, targets: Tensor, layers: Sequence[str] = ()) -> Cams:
    """Grad-CAM++ maps: better cover of several objects of one class in one image.

    With g = dS_c/dA_k: alpha(p) = g(p)^2 / (2 g(p)^2 + g(p)^3 sum_q A_k(q)),
    w_k = sum_p alpha(p) max(g(p), 0), L_c(p) = sum_k w_k A_k(p).

    Args:
        model: a classifier, (B, 3, H, W) -> (B, C).
        x: (B, 3, H, W) float, normalised as the network wants it.
        targets: (B, C) bool, the classes to make maps of.
        layers: names of layers that give feature maps; none means ``model.default_layer``.

    Returns:
        One (B, C, h, w) float32 map a layer, and the logits.

    Notes:
        The paper differentiates exp(S). That multiplies a whole map by exp(S), which overflows for large
        logits and cancels in alpha, so it is left out. alpha is 0 where its denominator is. The final
        rectification is left to whoever makes masks.

    Source:
        Chattopadhay et al., WACV 2018, equations 5, 7 and 19. Written from the paper.
    """
    return gradient_maps(model, x, targets, layers, position_weighted_gradient)


def position_weighted_gradient(a: Tensor, g: Tensor) -> Tensor:
    """Activations and gradients (n, F, h, w) -> maps (n, h, w).

    >>> position_weighted_gradient(torch.full((1, 1, 1, 2), 2.0), torch.ones(1, 1, 1, 2))
    tensor([[[0.6667, 0.6667]]])
    """
    denominator = 2 + g * a.sum((2, 3), keepdim=True)  # g^2 cancels; where g = 0 the weight is 0 anyway
    alpha = torch.where(denominator == 0, 0.0, 1 / denominator)
    return torch.einsum("bf,bfhw->bhw", (alpha * g.relu()).sum((2, 3)), a)
