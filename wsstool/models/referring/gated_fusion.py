"""Gated bi-directional fusion of feature maps of several depths."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Gate(nn.Module):
    """gate(a, b) a + b, with gate(a, b) = sigmoid(conv3x3(relu(conv1x1([a, b])))).

    Args:
        width: channels of a, b and the result.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(2 * width, width, 1)
        self.gate = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """(S,width,h,w) each -> the same."""
        return self.gate(F.relu(self.mix(torch.cat([a, b], 1)))).sigmoid() * a + b


class GatedFusion(nn.Module):
    """Chains of gates from deep to shallow and from shallow to deep, summed.

    Args:
        width: channels of every map.
        levels: number of maps.
    Source:
        Feng et al., CVPR 2020, section 3.4. Written from notes on the paper.
    """

    def __init__(self, width: int, levels: int) -> None:
        super().__init__()
        self.down = nn.ModuleList(Gate(width) for _ in range(levels - 1))
        self.up = nn.ModuleList(Gate(width) for _ in range(levels - 1))

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """(S,width,h,w) maps, shallow to deep -> (S,width,h,w)."""
        down, up = maps[-1], maps[0]
        for gate, x in zip(self.down, reversed(maps[:-1]), strict=True):
            down = gate(down, x)
        for gate, x in zip(self.up, maps[1:], strict=True):
            up = gate(up, x)
        return down + up
