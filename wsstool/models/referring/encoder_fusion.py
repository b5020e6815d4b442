"""Encoder fusion: BCAM inside the last stages of a backbone, and a feature pyramid decoder."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from wsstool.models.backbones import Backbone
from wsstool.models.backbones.frozen import OnBackbone
from wsstool.models.referring.bcam import ResidualBCAM
from wsstool.models.referring.decoder import PyramidDecoder
from wsstool.models.referring.design import Design, map_sizes
from wsstool.models.referring.stages import stage_groups
from wsstool.models.referring.words import WordEncoder


class EncoderFusion(OnBackbone):
    """A backbone that reads: words enter after each of its last stages, and the next stage sees the result.

    Stages before the first fusion, and all that the decoder takes from them, are computed once per image,
    whatever the number of sentences.

    Args:
        backbone: without classifier.
        design: widths and forms.
    Source:
        Feng et al., TNNLS 2022 and 2021, CVPR 2021. Written from notes on the papers.
    """

    backbone: Backbone

    def __init__(self, backbone: Backbone, design: Design) -> None:
        super().__init__()
        self.backbone, self.design = backbone, design
        self.groups = stage_groups(backbone)
        self.shared = len(self.groups) - design.fusions
        self.words = WordEncoder(design.n_words, design.word_channels, design.hidden)
        sizes = map_sizes(backbone, self.groups, design.image_size)
        self.fusions = nn.ModuleList(
            ResidualBCAM(
                group.channels,
                design.width,
                design.word_channels,
                2 * design.hidden,
                design.attention,
                size,
            )
            for group, size in zip(self.groups[self.shared :], sizes[self.shared :], strict=True)
        )
        self.decoder = PyramidDecoder([group.channels for group in self.groups], design.decoder_width)

    @property
    def n_outputs(self) -> int:
        """Number of scales at which ``forward`` returns logits."""
        return len(self.groups)

    def forward(self, images: Tensor, words: Tensor, image_of: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of each sentence at several scales.

        Args:
            images: (B,3,H,W) float, normalised.
            words: (S,T) int64, left-padded with 0.
            image_of: (S,) int64, image of each sentence.

        Returns:
            (S,1,h,w) float32 per stage, coarsest first; the last one at the size of the image.

        Raises:
            BadInputError: a sentence without words.
        """
        sentences = self.words(words)
        owner: Tensor | None = image_of
        maps, x = [], images
        for number, group in enumerate(self.groups):
            x = group(self.backbone, x)
            if number >= self.shared:
                x, owner = self.fusions[number - self.shared](x, sentences, owner), None
            maps.append(x)
        *coarse, finest = self.decoder(maps, image_of, self.shared)
        return *coarse, F.interpolate(finest, images.shape[2:], mode="bilinear", align_corners=False)
