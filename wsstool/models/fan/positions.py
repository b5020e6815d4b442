"""Position encoding: sines and cosines of both coordinates, projected to the channels of a token."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

FEATURES = 32
"""Sines and cosines per axis."""


class FourierPositions(nn.Module):
    """Add the projected encoding of its position to every token, on grids of any size.

    The coordinate y of row i of H is 2 pi i / H, i = 1 ... H. Its features are sin(y / d_0), cos(y / d_1),
    sin(y / d_2), ..., with d_j = 10000^(2 floor(j / 2) / 32); those of x follow.

    Args:
        dim: channels of a token.
        floored: as in the published classifiers; without, d_j = 10000^(j / 32), as in the published
            segmenters.
    Source:
        Vaswani et al., NeurIPS 2017, section 3.5, on two axes as in El-Nouby et al. (XCiT), NeurIPS 2021.
        Written from the papers and a description of the published files.
    """

    def __init__(self, dim: int, *, floored: bool = True) -> None:
        super().__init__()
        self.token_projection = nn.Conv2d(2 * FEATURES, dim, 1)
        self.floored = floored

    def forward(self, x: Tensor) -> Tensor:
        """Add the position encoding, (B,C,h,w) -> (B,C,h,w)."""
        return x + self.encoding(x.shape[-2], x.shape[-1])

    def encoding(self, rows: int, columns: int) -> Tensor:
        """Return the encoding, (1,C,rows,columns)."""
        weight = self.token_projection.weight
        y = self._waves(rows, weight.device)[:, :, None].expand(-1, -1, columns)
        x = self._waves(columns, weight.device)[:, None, :].expand(-1, rows, -1)
        return self.token_projection(torch.cat([y, x])[None].to(weight.dtype))

    def _waves(self, n: int, device: torch.device) -> Tensor:
        """Return the features of one coordinate, (32,n)."""
        at = torch.arange(1, n + 1, device=device, dtype=torch.float32) / (n + 1e-6) * (2 * math.pi)
        j = torch.arange(FEATURES, device=device)
        exponent = (2 * (j // 2) if self.floored else j) / FEATURES
        angles = at / (10000**exponent)[:, None]  # (32,n)
        return torch.where(j[:, None] % 2 == 0, angles.sin(), angles.cos())


def set_floored(network: nn.Module, floored: bool) -> None:
    """Set the form of the positional encoding of a network, see ``FourierPositions``."""
    for module in network.modules():
        if isinstance(module, FourierPositions):
            module.floored = floored
