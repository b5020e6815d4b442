"""Lower the output stride of a network by dilation (à trous), with the same weights.

A convolution or pooling that would shrink a map below the target stride keeps its size, and everything after
it is dilated by the omitted factor. The activations at the positions of the plain network stay the same (up
to layers that see the whole image).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from wsstool.errors import UsageError


def dilate(network: nn.Module, strides: Mapping[str, int], output_stride: int) -> None:
    """Lower the stride of a network in place.

    Args:
        network: as published.
        strides: input stride of every convolution and max pooling in it, by name.
        output_stride: maximum stride of any map afterwards.

    Raises:
        UsageError: a layer that would have to change is not square.
    """
    for name, stride in strides.items():
        module = network.get_submodule(name)
        kernel, step = _single(module.kernel_size, name), _single(module.stride, name)
        if stride < output_stride or (kernel == 1 and step == 1):
            continue
        parent, _, key = name.rpartition(".")
        setattr(network.get_submodule(parent), key, _dilated(module, stride // output_stride))


def _dilated(module: nn.Module, factor: int) -> nn.Module:
    """Return the same layer at stride 1 with its taps ``factor`` times as far apart."""
    kernel = _single(module.kernel_size, "kernel")
    if isinstance(module, nn.MaxPool2d):
        return SpreadMaxPool(kernel, factor, factor * _single(module.padding, "padding"))
    assert isinstance(module, nn.Conv2d)
    dilation = factor * _single(module.dilation, "dilation")
    convolution = nn.Conv2d(
        module.in_channels,
        module.out_channels,
        kernel,
        stride=1,
        padding=dilation * (kernel - 1) // 2 if kernel % 2 else "same",
        dilation=dilation,
        groups=module.groups,
        bias=module.bias is not None,
        device=module.weight.device,
    )
    convolution.weight, convolution.bias = module.weight, module.bias
    return convolution


def _single(value: Any, name: str) -> int:
    """Parse a kernel, stride or padding given as a number or as two equal ones."""
    first, second = value if isinstance(value, tuple) else (value, value)
    if first != second:
        raise UsageError(f"layer {name} is not square, its stride cannot be changed")
    return int(first)


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
