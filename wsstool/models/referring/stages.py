"""The stages of a backbone between which words come in: parts grouped by the stride of the plain network."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from wsstool.errors import UsageError
from wsstool.models.backbones import Backbone, Chain, plain_strides

FUSED = 3
"""Maximum number of stages with words: 3 to 5 of a network of strides 2 to 32."""


@dataclass(frozen=True)
class StageGroup:
    """Successive parts of a backbone; the channels are those of the last one."""

    parts: tuple[str, ...]
    channels: int

    def __call__(self, backbone: Backbone, x: Tensor) -> Tensor:
        """Run these parts of ``backbone``."""
        for part in self.parts:
            x = backbone.get_submodule(part)(x)
        return x


def stage_groups(backbone: Backbone) -> tuple[StageGroup, ...]:
    """Group the parts of a backbone into its stages, from the image to the last feature map.

    A stage ends where the plain network halves its maps; a lower output stride changes nothing here. Of
    networks with fewer than three stages at stride 8 and coarser, the last one is split into equal numbers of
    parts, so that there are always three for the words.

    Raises:
        UsageError: too few parts for three such stages.

    Example:
        >>> from wsstool.models.backbones import build_backbone
        >>> [group.parts[-1] for group in stage_groups(build_backbone("resnet-101", output_stride=16))]
        ['relu', 'layer1', 'layer2', 'layer3', 'layer4']
        >>> [group.channels for group in stage_groups(build_backbone("tiny"))]
        [24, 48, 96, 96, 160]
    """
    if not isinstance(backbone, Chain):
        raise UsageError(f"words cannot come between the layers of {backbone.arch}; use a backbone of ours")
    strides = plain_strides(backbone.arch)
    channels = {stage.name: stage.channels for stage in backbone.stages}
    groups: dict[int, list[str]] = {}
    for name in channels:
        groups.setdefault(max(2, strides[name]), []).append(name)
    coarsest = max(groups)
    *before, last = groups.values()
    n_last = max(1, FUSED - sum(stride >= 8 for stride in groups if stride < coarsest))
    if coarsest < 8 or len(last) < n_last:
        raise UsageError(f"{backbone.arch} has too few layers of stride 8 or more for words in three stages")
    ends = [len(last) * k // n_last for k in range(n_last + 1)]
    split = [last[start:end] for start, end in pairwise(ends)]
    return tuple(StageGroup(tuple(names), channels[names[-1]]) for names in [*before, *split])
