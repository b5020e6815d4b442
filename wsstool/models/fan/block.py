"""A FAN block: token attention, then channel attention, both residual."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wsstool.models.fan.channel_attention import ChannelAttention
from wsstool.models.fan.drop_path import DropPath
from wsstool.models.fan.token_attention import TokenAttention

EPS = 1e-6


class FanBlock(nn.Module):
    """FAN block: x + gamma1 * token attention, then x + gamma2 * channel attention, of normalised tokens.

    Args:
        dim: channels of a token.
        heads: of both attentions.
        drop_path: see ``DropPath``; the same in every block of the published networks.
    Source:
        Zhou et al., ICML 2022, section 3. Written from the paper and a description of the published files.
    """

    def __init__(self, dim: int, heads: int, drop_path: float = 0.0) -> None:
        super().__init__()
        self.gamma1 = nn.Parameter(torch.ones(dim))
        self.gamma2 = nn.Parameter(torch.ones(dim))
        self.norm1 = nn.LayerNorm(dim, eps=EPS)
        self.attn = TokenAttention(dim, heads)
        self.drop_path = DropPath(drop_path)
        self.norm2 = nn.LayerNorm(dim, eps=EPS)
        self.mlp = ChannelAttention(dim, heads)

    def forward(self, x: Tensor) -> Tensor:
        """Transform a map, (B,C,h,w) -> (B,C,h,w); class maps can be computed from every block."""
        grid = (x.shape[-2], x.shape[-1])
        tokens = x.flatten(2).transpose(1, 2)  # (B,N,C)
        tokens = tokens + self.drop_path(self.gamma1 * self.attn(self.norm1(tokens)))
        tokens = tokens + self.drop_path(self.gamma2 * self.mlp(self.norm2(tokens), grid))
        return tokens.transpose(1, 2).unflatten(2, grid)
