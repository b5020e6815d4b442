"""Feature pyramid decoder: top-down sums, with logits at every scale."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from wsstool.models.referring.spread import per_sentence

FIRST_BIAS = -2.0
"""Bias of the logits: maps start low, so that foreground must be learned."""

NARROWEST = 16


def decoder_widths(coarsest: int, levels: int) -> list[int]:
    """Return the channels of each level, coarsest first: halved at each level, at least ``NARROWEST``.

    Example:
        >>> decoder_widths(512, 5)
        [512, 256, 128, 64, 32]
    """
    return [max(min(NARROWEST, coarsest), coarsest >> level) for level in range(levels)]


class PyramidDecoder(nn.Module):
    """From coarse to fine: y = relu(conv3x3(lateral(x) + upsampled(conv1x1(coarser y)))), logits of each y.

    Args:
        channels: of the feature maps, finest first.
        coarsest: channels of the decoder at the coarsest scale, halved at each finer one.
    Notes:
        Channels are reduced before upsampling. Laterals of maps that belong to images, not to sentences, are
        computed once per image.
    Source:
        Lin et al., FPN, CVPR 2017, with the channels of Feng et al., TNNLS 2021.
    """

    def __init__(self, channels: Sequence[int], coarsest: int) -> None:
        super().__init__()
        widths = decoder_widths(coarsest, len(channels))
        pairs = list(zip(reversed(channels), widths, strict=True))
        self.laterals = nn.ModuleList(nn.Conv2d(c, w, 1) for c, w in pairs)
        steps = list(pairwise(widths))
        self.reduce = nn.ModuleList(nn.Conv2d(above, w, 1, bias=False) for above, w in steps)
        self.smooth = nn.ModuleList(nn.Conv2d(w, w, 3, padding=1) for w in widths[1:])
        self.classify = nn.ModuleList(nn.Conv2d(w, 1, 1) for w in widths)
        for layer in (
            *self.laterals,
            *self.reduce,
            *self.smooth,
        ):  # else words fade on the way to fine scales
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # type: ignore[arg-type]
        for layer in self.classify:
            nn.init.constant_(layer.bias, FIRST_BIAS)  # type: ignore[arg-type]

    def forward(self, maps: Sequence[Tensor], image_of: Tensor, shared: int) -> list[Tensor]:
        """Return the logits of each scale, coarsest first.

        Args:
            maps: (B or S,C,h,w), finest first.
            image_of: (S,) int64 image of each sentence.
            shared: number of leading maps that belong to images; the others belong to sentences.

        Returns:
            (S,1,h,w) per map.
        """
        logits: list[Tensor] = []
        y: Tensor | None = None
        for level, x in enumerate(reversed(maps)):
            lateral = self.laterals[level](x)
            if level >= len(maps) - shared:
                lateral = per_sentence(lateral, image_of)
            if y is not None:
                above = self.reduce[level - 1](y)
                above = F.interpolate(above, lateral.shape[2:], mode="bilinear", align_corners=False)
                lateral = self.smooth[level - 1](above.add_(lateral))
            y = lateral.relu_()
            logits.append(self.classify[level](y).float())
        return logits
