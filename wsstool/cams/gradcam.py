"""Grad-CAM: channels weighted by their mean gradient."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wsstool.cams.activations import gradient_maps
from wsstool.cams.cam import head_maps
from wsstool.cams.result import Cams


def gradcam(model: nn.Module, x: Tensor, targets: Tensor, layers: Sequence[str] = ()) -> Cams:
    """Compute Grad-CAM maps: channels weighted by their mean gradient, for any layers of any classifier.

    w_k = mean over positions p of dS_c/dA_k(p), L_c(p) = sum_k w_k A_k(p), with S_c the logit.

    If the linear head reads the layer and its pooling commutes with adding a constant, pool(m + t) =
    pool(m) + t, as average, maximum, top-k and log-sum-exp pooling do, the gradients of a channel sum to
    W_ck, so that L is CAM / (h * w). It is then computed without a backward pass.

    Args:
        model: a classifier, (B, 3, H, W) -> (B, C).
        x: (B, 3, H, W) float, normalised as the network expects.
        targets: (B, C) bool, the classes to compute maps for.
        layers: names of layers that output feature maps, all served by the same passes; none means
            ``model.default_layer``.

    Returns:
        One (B, C, h, w) float32 map per layer, and the logits.

    Notes:
        The final rectification of the paper is left to the masking step: multi-layer pseudo-masks need the
        negative values.

    Source:
        Selvaraju et al., ICCV 2017, equations 1 and 2. Written from the paper.
    """

    def closed_form(features: Tensor, logits: Tensor) -> Tensor | None:
        maps = head_maps(model, features, logits)
        return None if maps is None else maps / maps[0, 0].numel()

    return gradient_maps(model, x, targets, layers, mean_gradient, closed_form)


def mean_gradient(a: Tensor, g: Tensor) -> Tensor:
    """Combine activations and gradients (n, F, h, w) into maps (n, h, w).

    >>> mean_gradient(torch.ones(1, 2, 1, 2), torch.tensor([[[[1., 3.]], [[0., -1.]]]]))
    tensor([[[1.5000, 1.5000]]])
    """
    return torch.einsum("bf,bfhw->bhw", g.mean((2, 3)), a)
