"""BRINet: words meet the features of three stages behind the backbone."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from wsstool.models.backbones import Backbone
from wsstool.models.backbones.frozen import OnBackbone
from wsstool.models.referring.aspp import RatePyramid
from wsstool.models.referring.bcam import BCAM
from wsstool.models.referring.decoder import FIRST_BIAS
from wsstool.models.referring.design import Design, map_sizes
from wsstool.models.referring.gated_fusion import GatedFusion
from wsstool.models.referring.stages import stage_groups
from wsstool.models.referring.words import WordEncoder


class BRINet(OnBackbone):
    """BCAM on each of the last stages, an atrous pyramid on each result, gated bi-directional fusion.

    The whole backbone runs once per image, whatever the number of sentences.

    Args:
        backbone: without classifier.
        design: widths and forms; ``decoder_width`` is that of the pyramids.
    Notes:
        The published network has output stride 8, width 1000, pyramids of 512 channels and ``vanilla``
        attention. Coarser maps are upsampled to the finest of the three.
    Source:
        Feng et al., CVPR 2020. Written from notes on the paper.
    """

    backbone: Backbone

    def __init__(self, backbone: Backbone, design: Design) -> None:
        super().__init__()
        self.backbone, self.design = backbone, design
        self.groups = stage_groups(backbone)
        self.first = len(self.groups) - design.fusions
        self.words = WordEncoder(design.n_words, design.word_channels, design.hidden)
        fused = self.groups[self.first :]
        sizes = map_sizes(backbone, self.groups, design.image_size)[self.first :]
        self.fusions = nn.ModuleList(
            BCAM(
                group.channels,
                design.width,
                design.word_channels,
                2 * design.hidden,
                design.attention,
                size,
            )
            for group, size in zip(fused, sizes, strict=True)
        )
        self.pyramids = nn.ModuleList(RatePyramid(design.width, design.decoder_width) for _ in fused)
        self.join = GatedFusion(design.decoder_width, len(fused))
        self.classify = nn.ModuleList(nn.Conv2d(design.decoder_width, 1, 1) for _ in range(len(fused) + 1))
        for layer in self.classify:
            nn.init.constant_(layer.bias, FIRST_BIAS)  # type: ignore[arg-type]

    @property
    def n_outputs(self) -> int:
        """Number of scales at which ``forward`` returns logits."""
        return len(self.classify)

    def forward(self, images: Tensor, words: Tensor, image_of: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of each stage, deepest first, and of their fusion; see ``EncoderFusion.forward``.

        Returns:
            (S,1,h,w) float32 each; the last one at the size of the image.
        """
        sentences = self.words(words)
        maps: list[Tensor] = []
        x = images
        for number, group in enumerate(self.groups):
            x = group(self.backbone, x)
            if number >= self.first:
                k = number - self.first
                fused = self.fusions[k](x, sentences, image_of).mT.unflatten(2, x.shape[2:])
                y = self.pyramids[k](F.relu(fused))  # (S,width,h,w)
                if maps and y.shape[2:] != maps[0].shape[2:]:
                    y = F.interpolate(y, maps[0].shape[2:], mode="bilinear", align_corners=False)
                maps.append(y)
        deepest_first = [*reversed(maps), self.join(maps)]
        *coarse, last = [layer(y).float() for layer, y in zip(self.classify, deepest_first, strict=True)]
        return *coarse, F.interpolate(last, images.shape[2:], mode="bilinear", align_corners=False)
