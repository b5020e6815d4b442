"""Backbones: networks cut after their last feature map, by name, at any output stride they can have.

A backbone is an entry of the registry ``BACKBONES``; its protocol is ``Backbone``.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import torch

from wsstool.errors import UsageError
from wsstool.models.backbones.atrous import dilate
from wsstool.models.backbones.backbone import Backbone, Chain
from wsstool.models.backbones.layout import Layout, Stage, Statistics
from wsstool.models.backbones.torchvision_networks import TORCHVISION
from wsstool.registries.backbones import BACKBONES, check_backbone

__all__ = ["BACKBONES", "Backbone", "Chain", "Stage", "Statistics", "build_backbone"]

CLASSIFIER_PREFIXES = ("classifier.", "fc.", "fc8.", "_fc.")
"""Names of published ImageNet classifiers and of ResNet-38d's head, which are not part of a backbone."""


def build_backbone(arch: str, *, output_stride: int | None = None) -> Backbone:
    """Build a backbone with random weights.

    Args:
        arch: a name of ``BACKBONES``, or ``PREFIX:NAME``.
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
    own = layout.stages[-1].stride
    wanted = own if output_stride is None else output_stride
    if wanted not in layout.output_strides:
        possible = ", ".join(map(str, layout.output_strides))
        verb = "are" if len(layout.output_strides) > 1 else "is"
        raise UsageError(f"{arch} cannot have output stride {wanted}; possible {verb} {possible}")
    backbone.stages = layout.stages
    if wanted < own:
        backbone = backbone.at_stride(wanted, layout)
    for module in backbone.modules():
        if hasattr(module, "inplace"):  # the output of a layer recorded for a CAM must not be overwritten
            module.inplace = False  # type: ignore[assignment]
    return backbone


def rarefied_backbone(backbone: Backbone) -> Backbone:
    """Return the same network at stride 1, with shared weights: every layer dilated by the strides before it.

    Its maps contain those of the plain network at every ``stride``-th position, and interpolate densely.

    Raises:
        UsageError: a network whose stride cannot be lowered, such as a FAN.
    Source:
        Long et al., CVPR 2015, section 3.1 (filter rarefaction). Written from the paper.
    """
    if not isinstance(backbone, Chain) or not backbone.is_dilatable:
        raise UsageError(
            f"{backbone.arch} cannot have output stride 1: its maps have a fixed stride of {backbone.stride}"
        )
    dense = _plain_backbone(backbone.arch)
    dilate(dense, _layout(backbone.arch, dense).input_strides, 1)
    dense.load_state_dict(backbone.state_dict())
    dense.stages = tuple(Stage(stage.name, 1, stage.channels) for stage in backbone.stages)
    return dense.train(backbone.training).to(next(backbone.parameters()).device)


def default_output_stride(arch: str, wanted: int = 16) -> int:
    """Return ``wanted``, or the network's own stride if that is smaller or cannot be changed."""
    layout = _layout(arch)
    return wanted if wanted in layout.output_strides else layout.stages[-1].stride


def input_statistics(arch: str) -> Statistics | None:
    """Return the mean and deviation that the weights of a backbone expect; None: those of ImageNet."""
    return weightless(arch).statistics


def plain_strides(arch: str) -> dict[str, int]:
    """Return the stride of each part of the plain network, by name, whatever its output stride."""
    return {stage.name: stage.stride for stage in _layout(arch).stages}


DEPTHS = 4
"""Parts at equal distances that stand for the scales of a network of one stride, such as a ViT."""


def stage_before_last_stride(backbone: Backbone) -> Stage:
    """Return the last part before the plain network halves its maps for the last time, from ``backbone``."""
    return scales_of(backbone)[-2]


def scales_of(backbone: Backbone) -> list[Stage]:
    """Return the last part at each stride of the plain network, from fine to coarse, from ``backbone``.

    A network of one stride gives ``DEPTHS`` of its parts instead, from shallow to deep.
    """
    own = plain_strides(backbone.arch)
    scales = list({own[stage.name]: stage for stage in backbone.stages}.values())
    n = len(backbone.stages)
    if len(scales) == 1 and n >= DEPTHS:
        return [backbone.stages[n * depth // DEPTHS - 1] for depth in range(1, DEPTHS + 1)]
    return scales


def fine_stage(backbone: Backbone, stride: int) -> Stage:
    """Return where a decoder takes its fine features: at that stride, or early in a network of one stride.

    Raises:
        UsageError: a network of several strides, none of which is this.
    """
    if len({stage.stride for stage in backbone.stages}) == 1:
        return scales_of(backbone)[0]
    return backbone.stage_at(stride)


@cache
def plain_shapes(arch: str) -> Mapping[str, tuple[int, ...]]:
    """Return the names and shapes of the state dict of a backbone."""
    return {name: tuple(value.shape) for name, value in weightless(arch).state_dict().items()}


@cache
def weightless(arch: str) -> Backbone:
    """Return a backbone on the meta device: its names, shapes and methods; not to be changed."""
    with torch.random.fork_rng(devices=[]), on_meta(arch):
        return _plain_backbone(arch)


_LAYOUTS: dict[str, Layout] = {}


def _layout(arch: str, network: Backbone | None = None) -> Layout:
    """Measure the plain network, built already or not, once per process."""
    if arch not in _LAYOUTS:
        # Arithmetic on the meta device loads torch's compiler, which torchvision and timm load anyway.
        unused = weightless if _is_foreign(arch) else _unused
        _LAYOUTS[arch] = (unused(arch) if network is None else network).layout()
    return _LAYOUTS[arch]


def _unused(arch: str) -> Backbone:
    """Build a network for its layout alone; the random numbers of the caller stay what they are."""
    with torch.random.fork_rng(devices=[]):
        return _plain_backbone(arch)


def _is_foreign(arch: str) -> bool:
    return arch in TORCHVISION or ":" in arch


def on_meta(arch: str) -> AbstractContextManager[Any]:
    """Build networks on this backbone without memory for their weights, inside this context."""
    # torchvision computes the widths of a RegNet with tensors, which have no values on the meta device
    return nullcontext() if "regnet" in arch else torch.device("meta")


def _plain_backbone(arch: str) -> Backbone:
    check_backbone(arch)
    backbone: Backbone = BACKBONES.load(arch.partition(":")[0])(arch)
    backbone.arch = arch
    return backbone
