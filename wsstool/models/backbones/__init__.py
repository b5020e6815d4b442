"""Backbones: networks cut after their last feature map, torchvision's and our own, at any output stride.

The stride is lowered by ``atrous``; that of FAN is fixed, since its tokens are.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from wsstool.errors import UsageError
from wsstool.models.backbones.atrous import dilate
from wsstool.models.backbones.layout import Layout, Stage, measured_layout
from wsstool.models.backbones.resnet38d import resnet38d_layers
from wsstool.models.backbones.tiny import tiny_features
from wsstool.models.fan.sizes import SIZES as FAN_SIZES
from wsstool.models.fan.trunk import fan_layers

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
BACKBONES = ("tiny", "resnet38d", *FAN_SIZES, *TORCHVISION)
"""Every backbone name; ``tiny`` and ``fan-micro`` are ours and learn from scratch."""

CLASSIFIER_PREFIXES = ("classifier.", "fc.", "fc8.")
"""Names of torchvision's ImageNet classifier and of ResNet-38d's head, which are not part of a backbone."""


class Backbone(nn.Sequential):
    """The layers of a network up to its last feature map, under their published names.

    Maps (B,3,H,W) to (B, ``out_channels``, ceil(H / ``stride``), ceil(W / ``stride``)); networks of the VGG
    family round down instead.

    Attributes:
        arch: name in ``BACKBONES``.
        stages: its parts in order, each with the stride and the channels of its output.
        last_stage: name of the part that outputs the last feature map.
        memory_format: of weights and images for inference; channels last makes most convolutions faster.
    """

    arch: str
    stages: tuple[Stage, ...]
    memory_format = torch.channels_last

    @property
    def last_stage(self) -> str:
        return self.stages[-1].name

    @property
    def out_channels(self) -> int:
        return self.stages[-1].channels

    @property
    def stride(self) -> int:
        return self.stages[-1].stride

    def stage_at(self, stride: int) -> Stage:
        """Return the last part whose output has ``stride``: where a decoder takes its fine features.

        Raises:
            UsageError: no part has that stride.
        """
        fitting = [stage for stage in self.stages if stage.stride == stride]
        if not fitting:
            have = ", ".join(str(s) for s in sorted({stage.stride for stage in self.stages}))
            raise UsageError(f"{self.arch} has no features of stride {stride}; there are: {have}")
        return fitting[-1]

    def with_fine(self, x: Tensor, name: str) -> tuple[Tensor, Tensor]:
        """Return the features after the part ``name`` and the last ones, in one pass."""
        fine, last = self.features_of(x, (name, self.last_stage))
        return fine, last

    def features_of(self, x: Tensor, names: Sequence[str]) -> list[Tensor]:
        """Return the features after each of the parts ``names``, in one pass."""
        found = {}
        for stage in self.stages:
            x = self.get_submodule(stage.name)(x)
            if stage.name in names:
                found[stage.name] = x
        return [found[name] for name in names]


def build_backbone(arch: str, *, output_stride: int | None = None) -> Backbone:
    """Build a backbone with random weights.

    Args:
        arch: a name of ``BACKBONES``.
        output_stride: stride of the last map in image pixels: 32, 16, 8 or 4; None keeps the network's own
            (32; 16 for FAN; 8 for ``tiny`` and ``resnet38d``). Halving it takes about four times the time in
            the layers concerned.

    Raises:
        UsageError: no such backbone, or it does not support that stride.

    Example:
        >>> backbone = build_backbone("mobilenet-v2", output_stride=16)
        >>> backbone(torch.zeros(1, 3, 65, 96)).shape
        torch.Size([1, 1280, 5, 6])
    """
    backbone = _plain_backbone(arch)
    layout = _layout(arch, backbone)
    own_stride = layout.stages[-1].stride
    wanted = own_stride if output_stride is None else output_stride
    possible = [own_stride] if arch in FAN_SIZES else [s for s in (32, 16, 8, 4) if s <= own_stride]
    if wanted not in possible:
        spelled = ", ".join(map(str, possible))
        raise UsageError(f"{arch} cannot have output stride {wanted}; possible are {spelled}")
    if wanted < own_stride:
        dilate(backbone, layout.input_strides, wanted)
    for module in backbone.modules():
        if hasattr(module, "inplace"):  # the output of a layer recorded for a CAM must not be overwritten
            module.inplace = False  # type: ignore[assignment]
    backbone.arch = arch
    backbone.stages = tuple(replace(stage, stride=min(stage.stride, wanted)) for stage in layout.stages)
    return backbone


def rarefied_backbone(backbone: Backbone) -> Backbone:
    """Return the same network at stride 1, with shared weights: every layer dilated by the strides before it.

    Its maps contain those of the plain network at every ``stride``-th position, and interpolate densely.

    Raises:
        UsageError: a FAN, whose tokens are at stride 16.
    Source:
        Long et al., CVPR 2015, section 3.1 (filter rarefaction). Written from the paper.
    """
    if backbone.arch in FAN_SIZES:
        raise UsageError(f"{backbone.arch} cannot have output stride 1: its tokens are at stride 16")
    dense = _plain_backbone(backbone.arch)
    dilate(dense, _layout(backbone.arch, dense).input_strides, 1)
    dense.load_state_dict(backbone.state_dict())
    dense.arch = backbone.arch
    dense.stages = tuple(Stage(stage.name, 1, stage.channels) for stage in backbone.stages)
    return dense.train(backbone.training).to(next(backbone.parameters()).device)


def default_output_stride(arch: str, wanted: int = 16) -> int:
    """Return ``wanted``, or the network's own stride if that is smaller or cannot be changed."""
    own = _layout(arch).stages[-1].stride
    return own if arch in FAN_SIZES else min(wanted, own)


def plain_strides(arch: str) -> dict[str, int]:
    """Return the stride of each part of the plain network, by name, whatever its output stride."""
    return {stage.name: stage.stride for stage in _layout(arch).stages}


def stage_before_last_stride(backbone: Backbone) -> Stage:
    """Return the last part before the plain network halves its maps for the last time, from ``backbone``."""
    return scales_of(backbone)[-2]


def scales_of(backbone: Backbone) -> list[Stage]:
    """Return the last part at each stride of the plain network, from fine to coarse, from ``backbone``."""
    own = plain_strides(backbone.arch)
    return list({own[stage.name]: stage for stage in backbone.stages}.values())


@cache
def plain_shapes(arch: str) -> Mapping[str, tuple[int, ...]]:
    """Return the names and shapes of the state dict of a backbone."""
    with on_meta(arch):
        return {name: tuple(value.shape) for name, value in _plain_backbone(arch).state_dict().items()}


_LAYOUTS: dict[str, Layout] = {}


def _layout(arch: str, network: Backbone | None = None) -> Layout:
    """Measure the plain network, built already or not, once per process."""
    if arch not in _LAYOUTS:
        _LAYOUTS[arch] = measured_layout(_unused(arch) if network is None else network)
    return _LAYOUTS[arch]


def _unused(arch: str) -> Backbone:
    """Build a network for its layout alone; the random numbers of the caller stay what they are."""
    # Arithmetic on the meta device loads torch's compiler, which torchvision loads anyway.
    with torch.random.fork_rng(devices=[]), on_meta(arch) if arch in TORCHVISION else nullcontext():
        return _plain_backbone(arch)


def on_meta(arch: str) -> AbstractContextManager[Any]:
    """Build networks on this backbone without memory for their weights, inside this context."""
    # torchvision computes the widths of a RegNet with tensors, which have no values on the meta device
    return nullcontext() if "regnet" in arch else torch.device("meta")


def _hint(arch: str) -> str:
    """Return the likeliest meaning of an unknown name, such as torchvision's own spelling, or nothing."""
    spelled = {re.sub("[-_. ]", "", name): name for name in BACKBONES}
    near = get_close_matches(re.sub("[-_. ]", "", arch.lower()), spelled, 1, 0.75)
    return f"did you mean '{spelled[near[0]]}'? " if near else ""


def _plain_backbone(arch: str) -> Backbone:
    if arch == "tiny":
        return Backbone(OrderedDict(features=tiny_features()))
    if arch == "resnet38d":
        backbone = Backbone(resnet38d_layers())
        # As fast for its wide layers, and Grad-CAM then matches the published program to 1e-5; another order
        # of summation switches some ReLUs near 0, which changes its gradients by 5e-4.
        backbone.memory_format = torch.contiguous_format
        return backbone
    if arch in FAN_SIZES:
        return Backbone(fan_layers(FAN_SIZES[arch]))
    if arch not in TORCHVISION:
        raise UsageError(f"no backbone '{arch}'; {_hint(arch)}there are: {', '.join(BACKBONES)}")
    # Imported here: it loads torch's compiler, which doubles the start-up time of a command.
    from torchvision import models

    build: Callable[..., nn.Module] = getattr(models, TORCHVISION[arch])
    whole = build(weights=None)
    kept = {n: m for n, m in whole.named_children() if n not in ("avgpool", "classifier", "fc")}
    return Backbone(OrderedDict(kept))
