"""Self-attention of tokens."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class TokenAttention(nn.Module):
    """Multi-head self-attention, softmax(q k / sqrt(d)) v, with keys and values from one layer.

    Args:
        dim: channels of a token, a multiple of ``heads``.
        heads: of d = dim / heads channels each.
    Source:
        Vaswani et al., NeurIPS 2017, section 3.2. Written from the paper.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(dim, 2 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Transform (B,N,C) -> (B,N,C)."""
        q = per_head(self.q(tokens), self.heads)  # (B,heads,N,d)
        keys, values = self.kv(tokens).chunk(2, dim=-1)
        mixed = F.scaled_dot_product_attention(q, per_head(keys, self.heads), per_head(values, self.heads))
        return self.proj(mixed.transpose(1, 2).flatten(2))


def per_head(tokens: Tensor, heads: int) -> Tensor:
    """Split channels into heads, (B,N,C) -> (B,heads,N,C/heads)."""
    return tokens.unflatten(-1, (heads, -1)).transpose(1, 2)
