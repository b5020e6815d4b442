"""All that rebuilds a referring network: names, widths and sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from wsstool.errors import UsageError
from wsstool.models.backbones import Backbone
from wsstool.models.referring.stages import FUSED, StageGroup


@dataclass(frozen=True)
class Design:
    """Numbers of a referring network.

    Attributes:
        arch: ``NETWORK-BACKBONE``.
        n_words: size of the vocabulary, with ``<pad>`` and ``<unk>``.
        word_channels: of a word vector.
        hidden: states of the GRU in each direction.
        width: channels inside the attentions.
        decoder_width: channels of the coarsest level of the decoder, or of the atrous pyramids.
        attention: form of the visual attention.
        fusions: number of stages with words, counted from the last one.
        output_stride: of the backbone.
        image_size: side of a training image, pixels; binds the ``vanilla`` attention only.
    """

    arch: str
    n_words: int
    word_channels: int
    hidden: int
    width: int
    decoder_width: int
    attention: str
    fusions: int
    output_stride: int
    image_size: int

    def __post_init__(self) -> None:
        for name in ("width", "decoder_width", "word_channels", "hidden", "image_size"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} {getattr(self, name)} of {self.arch}: give 1 or more")
        if self.n_words < 2:
            raise UsageError("a vocabulary has at least <pad> and <unk>")
        if not 1 <= self.fusions <= FUSED:
            raise UsageError(f"words in {self.fusions} stages: give 1 to {FUSED}")


def map_sizes(backbone: Backbone, groups: Sequence[StageGroup], image_size: int) -> list[tuple[int, int]]:
    """Return the (h, w) of the map of each stage, for square images.

    Example:
        >>> from wsstool.models.backbones import build_backbone
        >>> from wsstool.models.referring.stages import stage_groups
        >>> backbone = build_backbone("resnet-18", output_stride=16)
        >>> map_sizes(backbone, stage_groups(backbone), 320)[2:]
        [(40, 40), (20, 20), (20, 20)]
    """
    strides = {stage.name: stage.stride for stage in backbone.stages}
    sides = [math.ceil(image_size / strides[group.parts[-1]]) for group in groups]
    return [(side, side) for side in sides]
