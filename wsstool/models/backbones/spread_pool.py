"""Dilated max pooling at stride 1 with padding of any width."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class SpreadMaxPool(nn.MaxPool2d):
    """Max pooling that keeps the size of its input; torch's own allows no padding beyond half a kernel.

    Args:
        kernel: taps per axis.
        dilation: cells from one tap to the next.
        before: padding cells above and left; the rest needed to keep the size is below and right.
    Example:
        >>> import torch
        >>> SpreadMaxPool(2, 2, 0)(torch.tensor([[[[1.0, 5.0, 2.0]]]])).tolist()
        [[[[2.0, 5.0, 2.0]]]]
    """

    def __init__(self, kernel: int, dilation: int, before: int) -> None:
        super().__init__(kernel, stride=1, padding=before, dilation=dilation)
        after = dilation * (kernel - 1) - before
        self.margins = (before, after, before, after)

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,h,w) -> (B,C,h,w)."""
        padded = F.pad(x, self.margins, value=float("-inf"))
        return F.max_pool2d(padded, self.kernel_size, 1, 0, self.dilation)
