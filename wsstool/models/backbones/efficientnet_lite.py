"""EfficientNet-Lite: EfficientNet without squeeze-and-excitation and with ReLU6, stride 32.

Layers have the names of the published PyTorch files (``_conv_stem``, ``_blocks.0._depthwise_conv``, ...).

Source:
    Tan and Le, ICML 2019, table 1 and equation 3 (compound scaling); the Lite variants are those of its
    authors' release: stem, head, first and last stage keep their depth, stem and head their width. Written
    from the paper and a description of the published files.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

LITE_MEAN = (127 / 255,) * 3
LITE_STD = (128 / 255,) * 3
"""Colours reach the published weights as (pixel - 127) / 128."""

STEM, HEAD = 32, 1280

STAGES = (
    (1, 16, 3, 1, 1),
    (2, 24, 3, 2, 6),
    (2, 40, 5, 2, 6),
    (3, 80, 3, 2, 6),
    (3, 112, 5, 1, 6),
    (4, 192, 5, 2, 6),
    (1, 320, 3, 1, 6),
)
"""Blocks, channels, kernel, stride of the first block and expansion of each stage, before scaling."""


@dataclass(frozen=True)
class LiteSize:
    """Factors on the channels and the number of blocks."""

    width: float
    depth: float


LITE = {
    "efficientnet-lite0": LiteSize(1.0, 1.0),
    "efficientnet-lite1": LiteSize(1.0, 1.1),
    "efficientnet-lite2": LiteSize(1.1, 1.2),
}


class Norm(nn.BatchNorm2d):
    """Batch norm with the epsilon of the published files."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-3)


class RectifiedNorm(Norm):
    """Batch norm and ReLU6 as one layer."""

    def forward(self, input: Tensor) -> Tensor:
        """(B,C,H,W) -> (B,C,H,W), 0 to 6."""
        return F.relu6(super().forward(input))


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution, projection; added to the input where the shapes allow it.

    Args:
        inside, outside: channels.
        kernel: of the depthwise convolution, odd.
        stride: of the depthwise convolution.
        expansion: factor on the channels in between; 1: there is no expansion.
    """

    def __init__(self, inside: int, outside: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        middle = inside * expansion
        self.is_expanded = expansion > 1
        self.is_residual = stride == 1 and inside == outside
        if self.is_expanded:
            self._expand_conv = nn.Conv2d(inside, middle, 1, bias=False)
            self._bn0 = RectifiedNorm(middle)
        self._depthwise_conv = nn.Conv2d(
            middle, middle, kernel, stride, kernel // 2, groups=middle, bias=False
        )
        self._bn1 = RectifiedNorm(middle)
        self._project_conv = nn.Conv2d(middle, outside, 1, bias=False)
        self._bn2 = Norm(outside)

    def forward(self, x: Tensor) -> Tensor:
        """(B,inside,H,W) -> (B,outside,ceil(H/stride),ceil(W/stride))."""
        y = self._bn0(self._expand_conv(x)) if self.is_expanded else x  # (B,middle,H,W)
        y = self._bn1(self._depthwise_conv(y))
        y = self._bn2(self._project_conv(y))
        return x + y if self.is_residual else y


def lite_layers(size: LiteSize) -> OrderedDict[str, nn.Module]:
    """Return the layers by name, from the image to the 1280 channels that the classifier reads.

    Notes:
        Padding is symmetric, so that dilation can lower the stride. The weights were trained with that of
        TensorFlow, which differs at even sizes, where it shifts the grid by half a cell.
    Example:
        >>> list(lite_layers(LITE["efficientnet-lite0"]))
        ['_conv_stem', '_bn0', '_blocks', '_conv_head', '_bn1']
    """
    blocks: list[nn.Module] = []
    inside = STEM
    for number, (repeats, channels, kernel, stride, expansion) in enumerate(STAGES):
        is_outer = number in (0, len(STAGES) - 1)
        outside = _rounded(channels * size.width)
        for block in range(repeats if is_outer else math.ceil(repeats * size.depth)):
            blocks.append(InvertedResidual(inside, outside, kernel, 1 if block else stride, expansion))
            inside = outside
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        _conv_stem=nn.Conv2d(3, STEM, 3, 2, 1, bias=False),
        _bn0=RectifiedNorm(STEM),
        _blocks=nn.Sequential(*blocks),
        _conv_head=nn.Conv2d(inside, HEAD, 1, bias=False),
        _bn1=RectifiedNorm(HEAD),
    )
    for layer in nn.Sequential(layers).modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out")
    return layers


def _rounded(channels: float) -> int:
    """Round to a multiple of 8, but not down by more than a tenth."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


_TIMM = (
    (r"^conv_stem\.", "_conv_stem."),
    (r"^bn1\.", "_bn0."),
    (r"^conv_head\.", "_conv_head."),
    (r"^bn2\.", "_bn1."),
    (r"^classifier\.", "_fc."),
)
_TIMM_BLOCK = {
    "conv_pw": "_expand_conv",
    "bn1": "_bn0",
    "conv_dw": "_depthwise_conv",
    "bn2": "_bn1",
    "conv_pwl": "_project_conv",
    "bn3": "_bn2",
}
_TIMM_FIRST_BLOCK = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}


def lite_names(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights with the names of timm under the published ones; others unchanged.

    Example:
        >>> import torch
        >>> names = ["conv_stem.weight", "blocks.0.0.conv_dw.weight", "blocks.1.0.conv_dw.weight"]
        >>> list(lite_names(dict.fromkeys(names, torch.zeros(1))))
        ['_conv_stem.weight', '_blocks.0._depthwise_conv.weight', '_blocks.1._depthwise_conv.weight']
    """
    if "conv_stem.weight" not in state_dict:
        return dict(state_dict)
    found = (re.match(r"blocks\.(\d+)\.(\d+)\.", name) for name in state_dict)
    blocks = sorted({(int(one[1]), int(one[2])) for one in found if one})
    number = {block: n for n, block in enumerate(blocks)}

    def renamed(name: str) -> str:
        inside = re.match(r"blocks\.(\d+)\.(\d+)\.(\w+)\.(.*)", name)
        if inside is None:
            for pattern, ours in _TIMM:
                name = re.sub(pattern, ours, name)
            return name
        stage, block, layer, rest = int(inside[1]), int(inside[2]), inside[3], inside[4]
        layers = _TIMM_BLOCK if stage else _TIMM_FIRST_BLOCK
        return f"_blocks.{number[stage, block]}.{layers.get(layer, layer)}.{rest}"

    return {renamed(name): value for name, value in state_dict.items()}
