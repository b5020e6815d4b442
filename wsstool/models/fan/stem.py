"""The convolutional stem: two stages of ConvNeXt blocks, at strides 4 and 8."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wsstool.errors import UsageError
from wsstool.models.class_probabilities import missing
from wsstool.models.fan.sizes import STRIDE

LEAST_SIDE = 32
"""Pixels: below, there are not two tokens along the side."""

EPS = 1e-6


class ChannelNorm(nn.Module):
    """Layer norm over the channels of a map, position by position.

    Args:
        channels: of the map.
        unbiased: divide the sum of squares by C - 1 instead of C. The published weights were trained in this
            way, except in the first norm of the stem.
    Notes:
        (x - m) / sqrt(s² C/(C-1) + eps), with s² the biased variance, is the ordinary norm with eps (C-1)/C,
        times sqrt((C-1)/C).
    """

    def __init__(self, channels: int, *, unbiased: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.shrinkage = (channels - 1) / channels if unbiased else 1.0

    def forward(self, x: Tensor) -> Tensor:
        """Transform (B,C,h,w) -> (B,C,h,w)."""
        last = x.permute(0, 2, 3, 1)  # (B,h,w,C)
        weight = self.weight * self.shrinkage**0.5
        normed = F.layer_norm(last, self.weight.shape, weight, self.bias, EPS * self.shrinkage)
        return normed.permute(0, 3, 1, 2)


class ConvNeXtBlock(nn.Module):
    """x + gamma * (7x7 depthwise convolution, norm, 1x1 to four times the channels, GELU, 1x1 back).

    Source:
        Liu et al., CVPR 2022, figure 4. Written from the paper.
    """

    def __init__(self, channels: int, *, unbiased: bool) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((channels,), 1e-6))
        self.conv_dw = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = ChannelNorm(channels, unbiased=unbiased)
        self.mlp = nn.Sequential(
            OrderedDict(
                fc1=nn.Conv2d(channels, 4 * channels, 1),
                act=nn.GELU(),
                fc2=nn.Conv2d(4 * channels, channels, 1),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Transform (B,C,h,w) -> (B,C,h,w)."""
        return x + self.gamma[:, None, None] * self.mlp(self.norm(self.conv_dw(x)))


class Patches(nn.Sequential):
    """Patch embedding: a 4x4 convolution of stride 4 and its norm, on an image padded to whole tokens.

    Raises:
        UsageError: a side is below ``LEAST_SIDE`` pixels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(nn.Conv2d(3, channels, 4, stride=4), ChannelNorm(channels, unbiased=False))

    def forward(self, input: Tensor) -> Tensor:
        """Embed an image, (B,3,H,W) -> (B,C,4 ceil(H/16),4 ceil(W/16))."""
        return super().forward(padded(input))


def padded(x: Tensor) -> Tensor:
    """Pad (B,3,H,W) at the right and bottom with zeros, the mean colour, to multiples of 16 pixels.

    Example:
        >>> padded(torch.ones(1, 3, 32, 50)).shape
        torch.Size([1, 3, 32, 64])
    """
    height, width = x.shape[-2:]
    if min(height, width) < LEAST_SIDE:
        raise UsageError(
            f"an image of {width} x {height} pixels is too small for FAN; both sides need at least "
            f"{LEAST_SIDE} pixels"
        )
    below, right = missing(height, STRIDE), missing(width, STRIDE)
    return F.pad(x, (0, right, 0, below)) if torch.compiler.is_compiling() or below or right else x


def stem(channels: tuple[int, int], depths: tuple[int, int], *, unbiased: bool = True) -> nn.Sequential:
    """Build both stages, under their published names: (B,3,H,W) -> (B,channels[1],H/8,W/8).

    Args:
        channels, depths: of the stages at strides 4 and 8.
        unbiased: see ``ChannelNorm``; for all norms except the first, which is always biased.
    """
    first, second = channels
    return nn.Sequential(
        OrderedDict(
            stem=Patches(first),
            stages=nn.Sequential(
                nn.Sequential(OrderedDict(blocks=_blocks(first, depths[0], unbiased))),
                nn.Sequential(
                    OrderedDict(
                        downsample=nn.Sequential(
                            ChannelNorm(first, unbiased=unbiased), nn.Conv2d(first, second, 2, stride=2)
                        ),
                        blocks=_blocks(second, depths[1], unbiased),
                    )
                ),
            ),
        )
    )


def _blocks(channels: int, depth: int, unbiased: bool) -> nn.Sequential:
    return nn.Sequential(*(ConvNeXtBlock(channels, unbiased=unbiased) for _ in range(depth)))
