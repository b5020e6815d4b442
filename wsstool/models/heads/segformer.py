"""SegFormer's head: linear layers on four scales, joined on the grid of the finest; on any backbone.

Modules are named as in the published programs, so that their weights files load with few names changed.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from wsstool.models.backbones import Backbone, Stage, scales_of
from wsstool.models.backbones.frozen import OnBackbone
from wsstool.models.class_probabilities import cropped, padded
from wsstool.models.fan.class_head import AttendedPatches
from wsstool.models.fan.sizes import SIZES as FAN_SIZES

ATTENDED = "class_attention"
"""Name of the part of a FAN backbone that outputs the patch tokens after class attention."""

LAST_LAYER = "decode_head.linear_pred."
"""Prefix of the state dict entries that depend on the classes of the training set."""

MOST_SCALES = 4


class Projection(nn.Module):
    """The linear layer of one scale."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Linear(in_channels, width)


class Fusion(nn.Module):
    """The 1x1 convolution that joins the scales, and its batch norm."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn = nn.BatchNorm2d(width)


class SegFormerHead(nn.Module):
    """Linear layer per scale, resize to the finest, concatenate, 1x1 convolution, batch norm, ReLU, classify.

    The linear layer of a scale and its share of the convolution have only a resize between them, which
    commutes with both: their product is applied once, on the scale's own grid. This gives the same values,
    at width 768 for a tenth of the multiplications and without a map of 3,072 channels.

    Args:
        channels: of each scale, from fine to coarse.
        n_classes: channels of the output.
        width: channels of each linear layer and of the convolution.
        dropout: share of the channels before the last layer dropped in training, [0, 1).
    Source:
        Xie et al., NeurIPS 2021, section 3.2. Written from the paper and a description of the published
        files.
    Example:
        >>> head = SegFormerHead((4, 8), 3, width=6).eval()
        >>> head(torch.zeros(1, 4, 10, 12), torch.zeros(1, 8, 5, 6)).shape
        torch.Size([1, 3, 10, 12])
    """

    def __init__(self, channels: Sequence[int], n_classes: int, *, width: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.names = [f"linear_c{number}" for number in range(1, len(channels) + 1)]
        for name, count in reversed(list(zip(self.names, channels, strict=True))):
            self.add_module(name, Projection(count, width))
        self.linear_fuse = Fusion(len(channels) * width, width)
        self.dropout = nn.Dropout2d(dropout)
        self.linear_pred = nn.Conv2d(width, n_classes, 1)

    def forward(self, *features: Tensor) -> Tensor:
        """(B,F,h,w) per scale, from fine to coarse -> (B,C,h,w) on the grid of the first."""
        fuse = self.linear_fuse.conv.weight[:, :, 0, 0]
        shares = reversed(fuse.chunk(len(features), 1))  # concatenated from coarse to fine
        joined: Tensor | None = None
        for name, x, share in zip(self.names, features, shares, strict=True):
            layer: nn.Linear = self.get_submodule(name).proj  # type: ignore[assignment]
            weight, bias = share @ layer.weight, share @ layer.bias  # (width,F), (width,)
            found = F.conv2d(x, weight[:, :, None, None], bias)
            if joined is None:
                joined = found
            else:
                joined = joined + F.interpolate(
                    found, joined.shape[-2:], mode="bilinear", align_corners=False
                )
        return self.linear_pred(self.dropout(F.relu(self.linear_fuse.bn(joined))))


class SegFormer(OnBackbone):
    """Backbone, SegFormer head, bilinear upsampling.

    Args:
        backbone: a FAN is extended in place by its class attention.
        n_classes: C.
        width: channels inside the head; None: as published, 768 for the published sizes of FAN, else 256.
    Notes:
        The scales are the backbone's last four strides; ``tiny`` has three, and those of ``resnet38d`` begin
        at stride 1. A FAN has two scales of convolutions, at strides 4 and 8, and two of tokens at stride 16:
        after its last block (block 18 of the large one), and after class attention.
        Inputs of other sizes are padded to a multiple of the last stride, by repeating the border.
    Source:
        Xie et al., NeurIPS 2021; on FAN Zhou et al., ICML 2022, section 4.3. Written from the papers and a
        description of the published files.
    Example:
        >>> from wsstool.models.backbones import build_backbone
        >>> SegFormer(build_backbone("fan-micro"), 3).eval()(torch.zeros(1, 3, 40, 50)).shape
        torch.Size([1, 3, 40, 50])
    """

    backbone: Backbone

    def __init__(self, backbone: Backbone, n_classes: int, *, width: int | None = None) -> None:
        super().__init__()
        self.backbone = backbone
        scales = _fan_scales(backbone) if backbone.arch in FAN_SIZES else scales_of(backbone)[-MOST_SCALES:]
        self.scales = [stage.name for stage in scales]
        self.decode_head = SegFormerHead(
            [stage.channels for stage in scales], n_classes, width=width or default_width(backbone.arch)
        )

    def class_maps(self, x: Tensor) -> Tensor:
        """Return the logits on the grid of the finest scale: (B,3,H,W) -> (B,C,h,w)."""
        return self.decode_head(*self.backbone.features_of(x, self.scales))

    def forward(self, x: Tensor) -> Tensor:
        """(B,3,H,W) -> logits (B,C,H,W)."""
        wide = padded(x, self.input_multiple)
        maps = self.class_maps(wide).float()
        logits = F.interpolate(maps, wide.shape[-2:], mode="bilinear", align_corners=False)
        return cropped(logits, x.shape[-2:])

    @property
    def input_multiple(self) -> int:
        """Inputs are padded to a multiple of this, pixels."""
        return self.backbone.stride


def default_width(arch: str) -> int:
    """Return the channels inside the head on this backbone.

    Example:
        >>> default_width("fan-tiny"), default_width("fan-micro"), default_width("resnet-50")
        (768, 256, 256)
    """
    return 768 if arch in FAN_SIZES and FAN_SIZES[arch].published else 256


def _fan_scales(backbone: Backbone) -> list[Stage]:
    """Append the class attention to a FAN and return the parts that the head reads."""
    size = FAN_SIZES[backbone.arch]
    backbone.add_module(ATTENDED, AttendedPatches(size))
    backbone.stages = (*backbone.stages, Stage(ATTENDED, backbone.stride, size.dim))
    wanted = (
        "patch_embed.backbone.stages.0",
        "patch_embed.backbone.stages.1",
        f"blocks.{size.segmenter_block % size.depth}",
        ATTENDED,
    )
    return [stage for stage in backbone.stages if stage.name in wanted]
