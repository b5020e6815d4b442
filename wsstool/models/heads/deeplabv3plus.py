"""DeepLabv3+: an atrous pyramid on a dilated backbone, and a decoder that adds fine features.

Modules are named as in the published programs, so that their weights files load unchanged.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsstool.models.backbones import Backbone, fine_stage
from wsstool.models.backbones.frozen import OnBackbone

MULTI_GRID = (1, 2, 4)
"""Relative dilation of the blocks of a ResNet's last layer."""

LAST_LAYER = "decoder.last_conv.8."
"""Prefix of the state dict entries that depend on the classes of the training set."""


class AtrousBranch(nn.Module):
    """Convolution at a rate, batch norm, ReLU: (B,F,h,w) -> (B,width,h,w)."""

    def __init__(self, in_channels: int, width: int, kernel: int, rate: int) -> None:
        super().__init__()
        padding = 0 if kernel == 1 else rate
        self.atrous_conv = nn.Conv2d(in_channels, width, kernel, padding=padding, dilation=rate, bias=False)
        self.bn = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.atrous_conv(x)))


class AtrousPyramid(nn.Module):
    """Branches of four rates and one of the whole image, joined by a 1x1 convolution.

    Args:
        in_channels: channels of the feature map.
        rates: dilation of the 3x3 branches, feature pixels; a 1x1 branch comes first.
        width: channels of each branch and of the output.
    Notes:
        The image branch normalises one value per channel and image, so a training batch needs two images.
    Example:
        >>> AtrousPyramid(8, (6, 12, 18), 4).eval()(torch.zeros(1, 8, 5, 6)).shape
        torch.Size([1, 4, 5, 6])
    """

    def __init__(self, in_channels: int, rates: tuple[int, int, int], width: int) -> None:
        super().__init__()
        self.aspp1 = AtrousBranch(in_channels, width, 1, 1)
        self.aspp2, self.aspp3, self.aspp4 = (AtrousBranch(in_channels, width, 3, rate) for rate in rates)
        self.global_avg_pool = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(in_channels, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        self.conv1 = nn.Conv2d(5 * width, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        image = self.global_avg_pool(x).expand(-1, -1, *x.shape[-2:])  # (B, width, h, w)
        branches = [self.aspp1(x), self.aspp2(x), self.aspp3(x), self.aspp4(x), image]
        return self.dropout(F.relu(self.bn1(self.conv1(torch.cat(branches, 1)))))


class Decoder(nn.Module):
    """Upsample the pyramid output to fine features, refine with two 3x3 convolutions and classify.

    Args:
        low_channels: channels of the fine feature map, reduced to 48.
        n_classes: channels of the output.
        width: channels of the pyramid output and in between.
    Example:
        >>> Decoder(8, 3, 4).eval()(torch.zeros(1, 8, 9, 9), torch.zeros(1, 4, 3, 3)).shape
        torch.Size([1, 3, 9, 9])
    """

    def __init__(self, low_channels: int, n_classes: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(low_channels, 48, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(48)
        self.last_conv = nn.Sequential(
            nn.Conv2d(width + 48, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Conv2d(width, n_classes, 1),
        )

    def forward(self, low: Tensor, high: Tensor) -> Tensor:
        low = F.relu(self.bn1(self.conv1(low)))  # (B, 48, h_low, w_low)
        high = F.interpolate(high, low.shape[-2:], mode="bilinear", align_corners=True)
        return self.last_conv(torch.cat([high, low], 1))  # (B, C, h_low, w_low)


class DeepLabV3Plus(OnBackbone):
    """Backbone, pyramid, decoder; logits at the size of the input, with aligned corners.

    Args:
        backbone: changed in place: see ``set_multi_grid``; all weights are reinitialised.
        n_classes: C.
        width: channels of the pyramid and the decoder.
    Notes:
        The result depends on the corners of the input, so inputs are padded only to the patches of a
        transformer.
    Source:
        Chen et al., ECCV 2018, with the multi-grid of Chen et al., "Rethinking atrous convolution", 2017;
        names and details as in Han et al., Medical Image Analysis 2022. Written from the papers.
    """

    backbone: Backbone

    def __init__(self, backbone: Backbone, n_classes: int, *, width: int = 256) -> None:
        super().__init__()
        set_multi_grid(backbone)
        rate = max(1, 96 // backbone.stride)
        low = fine_stage(backbone, 4)
        self.backbone = backbone
        self.low_stage = low.name
        self.aspp = AtrousPyramid(backbone.out_channels, (rate, 2 * rate, 3 * rate), width)
        self.input_multiple = backbone.input_multiple  #: inputs are padded to a multiple of this, pixels
        self.decoder = Decoder(low.channels, n_classes, width)
        _start_anew(self)

    def class_maps(self, x: Tensor) -> Tensor:
        """Return the logits on the grid of the fine features: (B,3,H,W) -> (B,C,h,w)."""
        low, high = self.backbone.with_fine(x, self.low_stage)
        return self.decoder(low, self.aspp(high))

    def forward(self, x: Tensor) -> Tensor:
        """(B,3,H,W) -> logits (B,C,H,W)."""
        maps = self.class_maps(x).float()
        return F.interpolate(maps, x.shape[-2:], mode="bilinear", align_corners=True)


def set_multi_grid(backbone: Backbone) -> None:
    """Dilate the 3x3 convolutions of a ResNet as in DeepLab; other backbones are unchanged.

    A layer whose stride was removed is dilated by it throughout, including its first block (which the à trous
    rule would leave unchanged), and the blocks of the last layer by 1, 2 and 4 times as much.

    Example:
        >>> from wsstool.models.backbones import build_backbone
        >>> backbone = build_backbone("resnet-50", output_stride=16)
        >>> set_multi_grid(backbone)
        >>> [block.conv2.dilation[0] for block in backbone.layer4]
        [2, 4, 8]
    """
    if not backbone.arch.startswith("resnet-"):
        return
    for layer in (1, 2, 3, 4):
        unit = max(1, 2 ** (layer + 1) // backbone.stride)
        for number, block in enumerate(backbone.get_submodule(f"layer{layer}").children()):
            rate = unit * (MULTI_GRID[number] if layer == 4 else 1)
            for module in block.modules():
                if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
                    module.dilation = module.padding = (rate, rate)


def _start_anew(network: DeepLabV3Plus) -> None:
    """Initialise: backbone normal, variance 2 / (k k outputs); the rest He's normal; batch norm 1 and 0."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            if name.startswith("backbone."):
                rows, columns = module.kernel_size
                fan_out = rows * columns * module.out_channels // module.groups
                nn.init.normal_(module.weight, 0.0, math.sqrt(2.0 / fan_out))
            else:
                nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
