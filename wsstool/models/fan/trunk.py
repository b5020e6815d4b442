"""The layers from the image to the map of tokens; each maps a feature map to a feature map."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from wsstool.models.fan.block import FanBlock
from wsstool.models.fan.positions import FourierPositions
from wsstool.models.fan.sizes import Size
from wsstool.models.fan.start_weights import start_blocks, start_stem
from wsstool.models.fan.stem import stem

EXPANDED = ("patch_embed", "patch_embed.backbone", "patch_embed.backbone.stages", "blocks")
"""Names that only hold others together."""


def fan_layers(
    size: Size, *, drop_path: float = 0.0, floored: bool = True, unbiased: bool = True
) -> OrderedDict[str, nn.Module]:
    """Build the trunk with random weights and published names: (B,3,H,W) -> (B,dim,ceil(H/16),ceil(W/16)).

    Args:
        size: one of ``SIZES``.
        drop_path: drop rate of every FAN block, [0, 1); the stem has none.
        floored: see ``FourierPositions``.
        unbiased: see ``ChannelNorm``.
    Source:
        Zhou et al., ICML 2022, section 3. Written from the paper and a description of the published files.
    Example:
        >>> from wsstool.models.fan.sizes import SIZES
        >>> list(fan_layers(SIZES["fan-micro"]))
        ['patch_embed', 'pos_embed', 'blocks']
    """
    convolutions = stem(size.stem_channels, size.stem_depths, unbiased=unbiased)
    start_stem(convolutions)
    blocks = nn.Sequential(*(FanBlock(size.dim, size.heads, drop_path) for _ in range(size.depth)))
    start_blocks(blocks)
    projection = nn.Conv2d(size.stem_channels[1], size.dim, 2, stride=2)
    return OrderedDict(
        patch_embed=nn.Sequential(OrderedDict(backbone=convolutions, proj=projection)),
        pos_embed=FourierPositions(size.dim, floored=floored),
        blocks=blocks,
    )
