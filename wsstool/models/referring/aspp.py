"""Atrous pyramid of 3x3 convolutions at several rates."""

from __future__ import annotations

import torch
from torch import Tensor, nn

RATES = (1, 3, 5, 7)


class RatePyramid(nn.Module):
    """ReLU of a 3x3 convolution at each of ``RATES``, joined by a 1x1 convolution.

    Args:
        channels: of the input.
        width: of each branch and of the output.
    Source:
        Feng et al., CVPR 2020. Independent.
    Example:
        >>> RatePyramid(8, 4)(torch.zeros(1, 8, 5, 6)).shape
        torch.Size([1, 4, 5, 6])
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Conv2d(channels, width, 3, padding=rate, dilation=rate) for rate in RATES
        )
        self.join = nn.Conv2d(len(RATES) * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(S,C,h,w) -> (S,width,h,w)."""
        return self.join(torch.cat([branch(x) for branch in self.branches], 1).relu()).relu()
