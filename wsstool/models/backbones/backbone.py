"""The protocol of backbones, and the chain of layers that most of them are."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Self

import torch
from torch import Tensor, nn

from wsstool.errors import UsageError
from wsstool.models.backbones.atrous import dilate
from wsstool.models.backbones.layout import Layout, Stage, Statistics, measured_layout
from wsstool.models.backbones.token_maps import TokenMap

STRIDES = (32, 16, 8, 4)
"""Output strides that a chain of layers can have, as far as its own is not finer."""


class Backbone(nn.Module):
    """A network that gives feature maps: its named parts, and what it asks of its input.

    Maps (B,3,H,W) to (B, ``out_channels``, ceil(H / ``stride``), ceil(W / ``stride``)); networks of the VGG
    family round down instead.

    Attributes:
        arch: its name in the registry, or ``PREFIX:NAME``.
        stages: its parts in order, each with the stride and the channels of its output.
        memory_format: of weights and images for inference; channels last makes most convolutions faster.
        statistics: of the input; None: those of ImageNet.
        input_multiple: sides that are not a multiple of this many pixels are padded on the right and below,
            by repeating the border, so that the maps cover the padding too.
        expansion: names of the last parts, if they only widen the features for an ImageNet classifier.
        notes: sentences about its input and its weights that a user should know.
    """

    arch: str
    stages: tuple[Stage, ...]
    memory_format = torch.channels_last
    statistics: Statistics | None = None
    input_multiple = 1
    expansion: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def last_stage(self) -> str:
        return self.stages[-1].name

    @property
    def out_channels(self) -> int:
        return self.stages[-1].channels

    @property
    def stride(self) -> int:
        return self.stages[-1].stride

    @abstractmethod
    def features_of(self, x: Tensor, names: Sequence[str]) -> list[Tensor]:
        """Return the features after each of the parts ``names``, in one pass."""

    @abstractmethod
    def layout(self) -> Layout:
        """Measure the plain network by a forward pass in eval mode."""

    @abstractmethod
    def at_stride(self, wanted: int, layout: Layout) -> Backbone:
        """Return this network, or one like it, at a finer output stride, from the plain ``layout``."""

    def as_map(self, output: Tensor, size: tuple[int, int]) -> TokenMap | None:
        """Return the output of a layer as a map (B,F,h,w) with its inverse, or None if it is no map.

        Args:
            output: of any layer inside.
            size: rows and columns of the image.
        """
        return TokenMap(output, lambda m: m) if output.ndim == 4 else None

    def own_names(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return published weights under the names of this network; entries that it lacks are kept."""
        return dict(state_dict)

    def with_fine(self, x: Tensor, name: str) -> tuple[Tensor, Tensor]:
        """Return the features after the part ``name`` and the last ones, in one pass."""
        fine, last = self.features_of(x, (name, self.last_stage))
        return fine, last

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

    def without_expansion(self) -> Self:
        """Drop the last parts if they only widen the features; return the network itself."""
        for name in self.expansion:
            parent, _, key = name.rpartition(".")
            delattr(self.get_submodule(parent), key)
        self.stages = tuple(stage for stage in self.stages if stage.name not in self.expansion)
        self.expansion = ()
        return self


class Chain(Backbone, nn.Sequential):
    """The layers of a network up to its last feature map, under their published names."""

    is_dilatable = True
    """Whether its strides can be lowered by dilation."""

    def features_of(self, x: Tensor, names: Sequence[str]) -> list[Tensor]:
        """Return the features after each of the parts ``names``, in one pass that ends there."""
        found: dict[str, Tensor] = {}
        for stage in self.stages:
            x = self.get_submodule(stage.name)(x)
            if stage.name in names:
                found[stage.name] = x
            if len(found) == len(set(names)):
                break
        return [found[name] for name in names]

    def layout(self) -> Layout:
        """Measure the plain network by a forward pass in eval mode, on the device where it is."""
        stages, strides = measured_layout(self)
        own = stages[-1].stride
        possible = [s for s in STRIDES if s <= own] if self.is_dilatable else [own]
        return Layout(stages, strides, tuple(possible))

    def at_stride(self, wanted: int, layout: Layout) -> Self:
        """Lower the output stride in place by dilation; see ``atrous``."""
        dilate(self, layout.input_strides, wanted)
        self.stages = tuple(replace(stage, stride=min(stage.stride, wanted)) for stage in layout.stages)
        return self
