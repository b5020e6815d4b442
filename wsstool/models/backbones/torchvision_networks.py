"""Backbones of torchvision: its networks without their classifiers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from torch import nn

from wsstool.models.backbones.backbone import Chain

TORCHVISION = {
    "mobilenet-v2": "mobilenet_v2",
    "mobilenet-v3-small": "mobilenet_v3_small",
    "mobilenet-v3-large": "mobilenet_v3_large",
    "resnet-18": "resnet18",
    "resnet-34": "resnet34",
    "resnet-50": "resnet50",
    "resnet-101": "resnet101",
    "resnet-152": "resnet152",
    "resnext-50": "resnext50_32x4d",
    "wide-resnet-50": "wide_resnet50_2",
    "vgg-11": "vgg11",
    "vgg-16": "vgg16",
    "vgg-16-bn": "vgg16_bn",
    "vgg-19": "vgg19",
    "efficientnet-b0": "efficientnet_b0",
    "efficientnet-b1": "efficientnet_b1",
    "efficientnet-b2": "efficientnet_b2",
    "efficientnet-b3": "efficientnet_b3",
    "efficientnet-v2-s": "efficientnet_v2_s",
    "convnext-tiny": "convnext_tiny",
    "convnext-small": "convnext_small",
    "convnext-base": "convnext_base",
    "regnet-y-400mf": "regnet_y_400mf",
    "regnet-y-1.6gf": "regnet_y_1_6gf",
    "regnet-x-1.6gf": "regnet_x_1_6gf",
}
"""Our name -> torchvision's."""


def torchvision_backbone(arch: str) -> Chain:
    """Build a network of torchvision without its classifier.

    Args:
        arch: a name of ``TORCHVISION``.
    Source:
        torchvision (BSD-3); the papers are those of the registry.
    """
    # Imported here: it loads torch's compiler, which doubles the start-up time of a command.
    from torchvision import models

    build: Callable[..., nn.Module] = getattr(models, TORCHVISION[arch])
    whole = build(weights=None)
    kept = {n: m for n, m in whole.named_children() if n not in ("avgpool", "classifier", "fc")}
    backbone = Chain(OrderedDict(kept))
    backbone.expansion = _expansion(backbone)
    return backbone


def _expansion(backbone: Chain) -> tuple[str, ...]:
    """Return the name of the last part, if it is a 1x1 convolution that only expands the channels."""
    from torchvision.ops import Conv2dNormActivation

    features = backbone.get_submodule("features") if hasattr(backbone, "features") else backbone
    *_, (key, last) = features.named_children()
    convolution = last[0] if isinstance(last, Conv2dNormActivation) else None
    is_expansion = (
        isinstance(convolution, nn.Conv2d)
        and convolution.kernel_size == (1, 1)
        and convolution.out_channels > convolution.in_channels
    )
    return (f"features.{key}",) if is_expansion else ()
