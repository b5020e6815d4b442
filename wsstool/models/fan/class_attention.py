"""Attention from the class token to all tokens."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wsstool.models.fan.token_attention import per_head

EPS = 1e-6


class ClassAttention(nn.Module):
    """Attention of the class token, the only query, to all tokens: (B,1+N,C) -> (B,1,C)."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(dim, dim)
        self.k = nn.Linear(dim, dim)
        self.v = nn.Linear(dim, dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Transform (B,1+N,C) -> (B,1,C)."""
        query = per_head(self.q(tokens[:, :1]), self.heads)  # (B,heads,1,d)
        keys, values = (per_head(layer(tokens), self.heads) for layer in (self.k, self.v))
        found = F.scaled_dot_product_attention(query, keys, values)
        return self.proj(found.transpose(1, 2).flatten(2))


class ClassAttentionBlock(nn.Module):
    """Class attention and an MLP for the class token; other tokens are scaled, normalised and doubled.

    With n = norm1(x): x + gamma1 * [attention(n), n_patches], normalised by norm2, is the new x; the result
    is [x_class + gamma2 * MLP(x_class), 2 x_patches].

    Args:
        dim: channels of a token.
        heads: of the attention.
    Notes:
        A token head reads the patch tokens, so their normalisation and doubling matter.
    Source:
        Touvron et al. (CaiT), ICCV 2021, section 3, with norms of all tokens as in El-Nouby et al. (XCiT),
        NeurIPS 2021. Written from the papers and a description of the published files.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.gamma1 = nn.Parameter(torch.ones(dim))
        self.gamma2 = nn.Parameter(torch.ones(dim))
        self.norm1 = nn.LayerNorm(dim, eps=EPS)
        self.attn = ClassAttention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=EPS)
        self.mlp = nn.Sequential(
            OrderedDict(fc1=nn.Linear(dim, 4 * dim), act=nn.GELU(), fc2=nn.Linear(4 * dim, dim))
        )

    def patches(self, tokens: Tensor) -> Tensor:
        """Compute the block for the patch tokens alone, which no other token reaches: (B,N,C) -> (B,N,C)."""
        return 2 * self.norm2(tokens + self.gamma1 * self.norm1(tokens))

    def forward(self, tokens: Tensor) -> Tensor:
        """Transform (B,1+N,C) -> (B,1+N,C)."""
        n = self.norm1(tokens)
        tokens = self.norm2(tokens + self.gamma1 * torch.cat([self.attn(n), n[:, 1:]], 1))
        first, rest = tokens[:, :1], tokens[:, 1:]
        return torch.cat([first + self.gamma2 * self.mlp(first), 2 * rest], 1)
