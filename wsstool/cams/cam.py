"""CAM: the linear head applied at every position instead of after pooling."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wsstool.cams.activations import check_targets, only, record
from wsstool.cams.result import Cams
from wsstool.errors import UsageError
from wsstool.models.classifier import POOLS, Classifier, average_pool


def cam(
    model: nn.Module, x: Tensor, targets: Tensor, layers: Sequence[str] = (), *, bias: bool = False
) -> Cams:
    """Compute class activation maps by applying the linear head at every position.

    M_c(p) = sum_k W_ck A_k(p): every class of the batch in one matrix product after one forward pass. The
    bias is left out by default, since it carries no spatial information; it sets the decision level, which
    matters once maps are rectified or classes are compared.

    Args:
        model: a classifier whose logits are ``pool(head(features))``, ``head`` a 1x1 convolution, or any
            network that ends in average pooling and a linear layer (torchvision's ResNet, for instance).
        x: (B, 3, H, W) float, normalised as the network expects.
        targets: (B, C) bool, the classes to compute maps for.
        layers: the layer that the head reads; none means ``model.default_layer``.
        bias: add the head's bias: the map is then the logit of its position alone, above 0 where the class is
            more likely present than not.

    Returns:
        One (B, C, h, w) float32 map per layer, not rectified, and the logits.

    Raises:
        UsageError: the head does not read that layer, so CAM is not defined there.

    Source:
        Zhou et al., CVPR 2016, equation 2. Written from the paper.
    """
    recording = record(model, x, layers)
    check_targets(targets, recording.logits)
    with torch.no_grad():
        maps = [head_maps(model, a, recording.logits) for a in recording.activations]
    for i, found in enumerate(maps):
        if found is None:
            name = layers[i] if layers else "the default layer"
            raise UsageError(
                f"cam works only on the layer that feeds the linear head, not on {name}; use gradcam "
                "for other layers"
            )
    head = _linear_head(model)
    shift = head.bias.detach()[:, None, None] if bias and head is not None and head.bias is not None else 0.0
    found_maps = [m + shift for m in maps if m is not None]
    return Cams(tuple(only(targets, m) for m in found_maps), recording.logits.float())


def head_maps(model: nn.Module, features: Tensor, logits: Tensor) -> Tensor | None:
    """Return ``W A`` (B, C, h, w) if pooling it (bias added) gives the logits; otherwise None.

    This check by value makes the shortcut safe for every network, at the cost of one 1x1 convolution.
    """
    head = _linear_head(model)
    if head is None or head.weight.shape[:2] != (logits.shape[1], features.shape[1]):
        return None
    maps = F.conv2d(features, head.weight.reshape(*head.weight.shape[:2], 1, 1))  # (B, C, h, w)
    with_bias = maps if head.bias is None else maps + head.bias[:, None, None]
    pool = POOLS[model.pool] if isinstance(model, Classifier) else average_pool
    pooled = pool(with_bias.float())
    exact = features.dtype == torch.float32
    near = torch.allclose(pooled, logits.float(), rtol=1e-3 if exact else 3e-2, atol=1e-4 if exact else 3e-2)
    return maps if near else None


def _linear_head(model: nn.Module) -> nn.Linear | nn.Conv2d | None:
    """Return ``model.head``, or the last layer with weights, if it is linear at every position."""
    head = getattr(model, "head", None)
    layers = [head] if isinstance(head, nn.Linear | nn.Conv2d) else [*model.modules()][::-1]
    for layer in layers:
        if isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1)):
            return layer
        if next(layer.parameters(recurse=False), None) is not None:
            break
    return None
