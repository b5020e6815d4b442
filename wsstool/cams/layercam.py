"""LayerCAM: every position weighted by its own positive gradient."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wsstool.cams.activations import gradient_maps
from wsstool.cams.result import Cams


def layercam(model: nn.Module, x: Tensor, targets: Tensor, layers: Sequence[str] = ()) -> Cams:
    """Compute LayerCAM maps: each position weighted by its own gradient, for fine detail from early layers.

    L_c(p) = sum_k max(dS_c/dA_k(p), 0) A_k(p).

    Args:
        model: a classifier, (B, 3, H, W) -> (B, C).
        x: (B, 3, H, W) float, normalised as the network expects.
        targets: (B, C) bool, the classes to compute maps for.
        layers: names of layers that output feature maps; none means ``model.default_layer``.

    Returns:
        One (B, C, h, w) float32 map per layer, and the logits.

    Notes:
        The paper rectifies the map and, when it merges layers, scales early ones by tanh; both are left to
        the masking step.

    Source:
        Jiang et al., TIP 2021, equations 5 to 7. Written from the paper.
    """
    return gradient_maps(model, x, targets, layers, own_gradient)


def own_gradient(a: Tensor, g: Tensor) -> Tensor:
    """Combine activations and gradients (n, F, h, w) into maps (n, h, w).

    >>> own_gradient(torch.ones(1, 2, 1, 2), torch.tensor([[[[1., 3.]], [[2., -1.]]]]))
    tensor([[[3., 3.]]])
    """
    return torch.einsum("bfhw,bfhw->bhw", g.relu(), a)
