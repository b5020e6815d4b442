"""Backbones whose layers are written here, by name."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import Tensor

from wsstool.models.backbones.backbone import Chain
from wsstool.models.backbones.efficientnet_lite import LITE, LITE_MEAN, LITE_STD, lite_layers, lite_names
from wsstool.models.backbones.layout import Statistics
from wsstool.models.backbones.resnet38d import resnet38d_layers
from wsstool.models.backbones.tiny import tiny_features
from wsstool.models.fan.sizes import SIZES
from wsstool.models.fan.trunk import fan_layers


def tiny_backbone(arch: str) -> Chain:
    """Build a small residual network that learns from scratch on a laptop.

    Source:
        Independent.
    """
    return Chain(OrderedDict(features=tiny_features()))


def resnet38d_backbone(arch: str) -> Chain:
    """Build ResNet-38d, the wide network of stage 1 of WSSS-Tissue.

    Source:
        Wu, Shen and van den Hengel, Pattern Recognition 2019. Written from the paper, see ``resnet38d``.
    """
    backbone = Chain(resnet38d_layers())
    # As fast for its wide layers, and Grad-CAM then matches the published program to 1e-5; another order of
    # summation switches some ReLUs near 0, which changes its gradients by 5e-4.
    backbone.memory_format = torch.contiguous_format
    return backbone


def fan_backbone(arch: str) -> Chain:
    """Build the trunk of a FAN, whose tokens stay at stride 16.

    Source:
        Zhou et al., ICML 2022. Written from the paper, see ``fan``.
    """
    backbone = Chain(fan_layers(SIZES[arch]))
    backbone.is_dilatable = False
    return backbone


class LiteChain(Chain):
    """An EfficientNet-Lite, which also takes weights under the names of timm."""

    statistics = Statistics(LITE_MEAN, LITE_STD)
    expansion = ("_conv_head", "_bn1")

    def own_names(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return weights under the published names; those of timm are renamed."""
        return lite_names(state_dict)


def lite_backbone(arch: str) -> LiteChain:
    """Build an EfficientNet-Lite: no squeeze-and-excitation, ReLU6.

    Source:
        Tan and Le, ICML 2019, in the Lite variant of its authors, see ``efficientnet_lite``.
    """
    return LiteChain(lite_layers(LITE[arch]))
