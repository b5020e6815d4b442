"""Segmentation heads: from backbone features to class maps on the same (or a finer) grid."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

# torchvision is imported where a network needs it: it loads torch's compiler, which doubles the start-up time
# of a command.


class DeepLabV3Head(nn.Sequential):
    """Atrous spatial pyramid pooling, one 3x3 convolution, a linear layer.

    The pyramid is torchvision's; its width is free, since 256 channels on 1280 input channels cost
    more than a whole MobileNetV2.

    Args:
        in_channels: channels of the feature map.
        n_classes: channels of the output.
        rates: dilation of the three 3x3 branches, feature pixels, >= 1.
        width: channels of each branch and of the output of the pyramid.
    Notes:
        The pooled branch normalises one value per channel and image, so a training batch needs two images.
    Source:
        Chen et al., "Rethinking atrous convolution", 2017, section 3.3. Modules are torchvision's (BSD-3).
    Example:
        >>> DeepLabV3Head(8, 3, width=4).eval()(torch.zeros(1, 8, 5, 6)).shape
        torch.Size([1, 3, 5, 6])
    """

    def __init__(
        self, in_channels: int, n_classes: int, *, rates: Sequence[int] = (12, 24, 36), width: int = 256
    ) -> None:
        from torchvision.models.segmentation.deeplabv3 import ASPP

        super().__init__(
            ASPP(in_channels, rates, width),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, n_classes, 1),
        )


class LRASPPSegmentationHead(nn.Module):
    """Lite R-ASPP: a gated 1x1 branch, upsampled onto a fine feature map with a linear layer of its own.

    Args:
        low_channels: channels of the fine feature map.
        high_channels: channels of the deep feature map.
        n_classes: channels of the output.
        width: channels of the gated branch.
    Source:
        Howard et al., ICCV 2019, figure 10. The module is torchvision's (BSD-3).
    Example:
        >>> head = LRASPPSegmentationHead(4, 8, 3, width=4).eval()
        >>> head(torch.zeros(1, 4, 10, 12), torch.zeros(1, 8, 5, 6)).shape
        torch.Size([1, 3, 10, 12])
    """

    def __init__(self, low_channels: int, high_channels: int, n_classes: int, *, width: int = 128) -> None:
        from torchvision.models.segmentation.lraspp import LRASPPHead

        super().__init__()
        self.head = LRASPPHead(low_channels, high_channels, n_classes, width)

    def forward(self, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
        return self.head({"low": low, "high": high})  # (B, C, h_low, w_low)


class FCNHead(nn.Sequential):
    """One 3x3 convolution and a linear layer: the light head, suited to small backbones.

    Args:
        in_channels: channels of the feature map.
        n_classes: channels of the output.
        width: channels in between; 0 takes a quarter of ``in_channels``, at least 16.
        dropout: share of these channels dropped in training, [0, 1).
    Source:
        Long et al., CVPR 2015, in torchvision's form (3x3 convolution before the scoring layer).
    Example:
        >>> FCNHead(8, 3).eval()(torch.zeros(1, 8, 5, 6)).shape
        torch.Size([1, 3, 5, 6])
    """

    def __init__(self, in_channels: int, n_classes: int, *, width: int = 0, dropout: float = 0.1) -> None:
        width = width or max(16, in_channels // 4)
        super().__init__(
            nn.Conv2d(in_channels, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Conv2d(width, n_classes, 1),
        )


class PyramidHead(nn.Module):
    """Light pyramid head on two depths, for frozen backbones: reduce, three receptive fields, classify.

    z = relu(bn(conv1x1([low, high]))); then relu(bn([z + dw3x3(z), dw3x3 at rate 4 (z), linear(mean z)])) and
    a linear layer, with depthwise 3x3 convolutions. A 20th of the cost of ``DeepLabV3Head`` on a MobileNet.

    Args:
        low_channels: channels of the shallower feature map.
        high_channels: channels of the deepest one, uncut.
        n_classes: channels of the output.
        width: channels of each branch.
        dropout: share of the channels before the last layer dropped in training, [0, 1).
    Notes:
        Inputs are normalised without learned scale: start weights differ in the magnitude of their features.
        A shallower map of another size is resized to that of the deeper one. A training batch needs two
        images.
    Source:
        Independent; the branches are those of Chen et al., 2017, made depthwise as in Chen et al., ECCV 2018.
    Example:
        >>> PyramidHead(4, 8, 3, width=4).eval()(torch.zeros(1, 4, 5, 6), torch.zeros(1, 8, 5, 6)).shape
        torch.Size([1, 3, 5, 6])
    """

    def __init__(
        self,
        low_channels: int,
        high_channels: int,
        n_classes: int,
        *,
        width: int = 192,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.normalise = nn.BatchNorm2d(low_channels + high_channels, affine=False)
        self.reduce = nn.Sequential(
            nn.Conv2d(low_channels + high_channels, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.near = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.far = nn.Conv2d(width, width, 3, padding=4, dilation=4, groups=width)
        self.image = nn.Linear(width, width)
        self.join = nn.Sequential(nn.BatchNorm2d(3 * width), nn.ReLU(), nn.Dropout(dropout))
        self.classify = nn.Conv2d(3 * width, n_classes, 1)

    def forward(self, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
        z = self.reduce(self.normalise(side_by_side(low, high)))  # (B, width, h, w)
        image = self.image(z.mean((2, 3)))[:, :, None, None].expand_as(z)  # (B, width, h, w)
        return self.classify(self.join(torch.cat([z + self.near(z), self.far(z), image], 1)))  # (B, C, h, w)


class LinearHead(nn.Module):
    """Linear layer on the concatenated features of two depths: the head that a convex fit can solve.

    Args:
        low_channels: channels of the shallower feature map.
        high_channels: channels of the deepest one.
        n_classes: channels of the output.
    Example:
        >>> LinearHead(4, 8, 3)(torch.zeros(1, 4, 5, 6), torch.zeros(1, 8, 5, 6)).shape
        torch.Size([1, 3, 5, 6])
    """

    def __init__(self, low_channels: int, high_channels: int, n_classes: int) -> None:
        super().__init__()
        self.classify = nn.Conv2d(low_channels + high_channels, n_classes, 1)

    def forward(self, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
        return self.classify(side_by_side(low, high))  # (B, C, h, w)


def side_by_side(low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    """Concatenate both maps on the grid of the deeper one: (B, high + low, h, w)."""
    if torch.compiler.is_compiling() or low.shape[2:] != high.shape[2:]:  # resizing to the own size is exact
        low = F.interpolate(low, high.shape[2:], mode="bilinear", align_corners=False)
    return torch.cat([high, low], 1)
