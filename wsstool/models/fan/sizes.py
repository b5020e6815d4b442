"""Width and depth of each member of the family."""

from __future__ import annotations

from dataclasses import dataclass

STRIDE = 16
"""Image pixels per token, along either axis."""


@dataclass(frozen=True)
class Size:
    """One member of the FAN-Hybrid family.

    Attributes:
        title: name in the papers.
        dim: channels of a token.
        depth: FAN blocks; the numbers in the published names are not the depths.
        heads: of token attention, channel attention and class attention.
        stem_channels: of the two stages of the stem, at strides 4 and 8.
        stem_depths: ConvNeXt blocks in them.
        drop_path: fraction of dropped residual branches in the published FAN training.
        head_scale: factor on the first weights of a classifier without token head.
        segmenter_block: number of the block that the published segmenters read, from 0; -1: the last.
        published: name in the published programs; empty for sizes that are not published.
    """

    title: str
    dim: int
    depth: int
    heads: int
    stem_channels: tuple[int, int] = (128, 256)
    stem_depths: tuple[int, int] = (3, 3)
    drop_path: float = 0.0
    head_scale: float = 1.0
    segmenter_block: int = -1
    published: str = ""


SIZES = {
    "fan-micro": Size("micro", 96, 4, 4, stem_channels=(32, 64), stem_depths=(1, 1)),
    "fan-tiny": Size("tiny", 192, 8, 8, drop_path=0.1, published="fan_tiny_8_p4_hybrid"),
    "fan-small": Size("small", 384, 10, 8, drop_path=0.25, published="fan_small_12_p4_hybrid"),
    "fan-base": Size("base", 448, 16, 8, drop_path=0.35, published="fan_base_16_p4_hybrid"),
    "fan-large": Size(
        "large",
        480,
        22,
        10,
        stem_depths=(3, 5),
        drop_path=0.45,
        head_scale=0.001,
        segmenter_block=18,
        published="fan_large_16_p4_hybrid",
    ),
}
"""By the name of the architecture; ``fan-micro`` is ours and learns from scratch on two cores."""
