"""DeepLabv3+ on a ResNet from nothing but a state dict: one function a line of the paper, no modules."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

State = Mapping[str, Tensor]


def normed(state: State, name: str, x: Tensor) -> Tensor:
    mean, var, weight, bias = (
        state[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (var + 1e-5).sqrt() * weight + bias


def conv(state: State, name: str, x: Tensor, stride: int = 1, rate: int = 1) -> Tensor:
    weight = state[f"{name}.weight"]
    padding = rate * (weight.shape[-1] // 2)
    return F.conv2d(x, weight, state.get(f"{name}.bias"), stride, padding, rate)


def block(state: State, name: str, x: Tensor, stride: int, rate: int) -> Tensor:
    shortcut = x
    if f"{name}.downsample.0.weight" in state:
        shortcut = normed(state, f"{name}.downsample.1", conv(state, f"{name}.downsample.0", x, stride))
    if f"{name}.conv3.weight" in state:
        x = F.relu(normed(state, f"{name}.bn1", conv(state, f"{name}.conv1", x)))
        x = F.relu(normed(state, f"{name}.bn2", conv(state, f"{name}.conv2", x, stride, rate)))
        x = normed(state, f"{name}.bn3", conv(state, f"{name}.conv3", x))
    else:
        x = F.relu(normed(state, f"{name}.bn1", conv(state, f"{name}.conv1", x, stride, rate)))
        x = normed(state, f"{name}.bn2", conv(state, f"{name}.conv2", x, 1, rate))
    return F.relu(x + shortcut)


def features(state: State, x: Tensor, output_stride: int) -> tuple[Tensor, Tensor]:
    """Output of ``layer1`` and of ``layer4``; strides and dilations as the fact sheets list them."""
    strides, rates = {16: ((1, 2, 2, 1), (1, 1, 1, 2)), 8: ((1, 2, 1, 1), (1, 1, 2, 4))}[output_stride]
    x = F.relu(normed(state, "backbone.bn1", F.conv2d(x, state["backbone.conv1.weight"], None, 2, 3)))
    x = F.max_pool2d(x, 3, 2, 1)
    low = x
    for layer, (stride, rate) in enumerate(zip(strides, rates, strict=True), 1):
        number = 0
        while f"backbone.layer{layer}.{number}.conv1.weight" in state:
            grid = (1, 2, 4)[number] if layer == 4 else 1
            x = block(state, f"backbone.layer{layer}.{number}", x, 1 if number else stride, rate * grid)
            number += 1
        if layer == 1:
            low = x
    return low, x


def pyramid(state: State, x: Tensor, output_stride: int) -> Tensor:
    branches = []
    for number, rate in enumerate((1, 6, 12, 18), 1):
        rate = rate if number == 1 else rate * 16 // output_stride
        name = f"aspp.aspp{number}"
        branches.append(F.relu(normed(state, f"{name}.bn", conv(state, f"{name}.atrous_conv", x, 1, rate))))
    image = conv(state, "aspp.global_avg_pool.1", x.mean((2, 3), keepdim=True))
    image = F.relu(normed(state, "aspp.global_avg_pool.2", image))
    branches.append(F.interpolate(image, x.shape[-2:], mode="bilinear", align_corners=True))
    return F.relu(normed(state, "aspp.bn1", conv(state, "aspp.conv1", torch.cat(branches, 1))))


def deeplabv3plus(state: State, x: Tensor, output_stride: int = 16) -> Tensor:
    """(B,3,H,W) -> logits (B,C,H,W), as at test time."""
    low, high = features(state, x, output_stride)
    high = pyramid(state, high, output_stride)
    low = F.relu(normed(state, "decoder.bn1", conv(state, "decoder.conv1", low)))
    high = F.interpolate(high, low.shape[-2:], mode="bilinear", align_corners=True)
    y = torch.cat([high, low], 1)
    y = F.relu(normed(state, "decoder.last_conv.1", conv(state, "decoder.last_conv.0", y)))
    y = F.relu(normed(state, "decoder.last_conv.5", conv(state, "decoder.last_conv.4", y)))
    y = conv(state, "decoder.last_conv.8", y)
    return F.interpolate(y, x.shape[-2:], mode="bilinear", align_corners=True)
