"""Channel attention, which replaces the MLP of a transformer block."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wsstool.models.fan.token_attention import per_head


class LocalMixing(nn.Module):
    """Two 3x3 depthwise convolutions of the token map, GELU and batch norm between them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.act = nn.GELU()
        self.bn = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """Transform (B,N,C) -> (B,N,C), N tokens on a grid of (rows, columns)."""
        maps = tokens.transpose(1, 2).unflatten(2, grid)  # (B,C,h,w), channels last in memory
        return self.conv2(self.bn(self.act(self.conv1(maps)))).flatten(2).transpose(1, 2)


class MixingMlp(nn.Module):
    """fc2(u + gamma * local mixing of u), u = fc1(z); only the mixing is nonlinear."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(4 * dim))
        self.fc1 = nn.Linear(dim, 4 * dim)
        self.dwconv = LocalMixing(4 * dim)
        self.fc2 = nn.Linear(4 * dim, dim)

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """Transform (B,N,C) -> (B,N,C)."""
        u = self.fc1(tokens)  # (B,N,4C)
        return self.fc2(self.gamma * self.dwconv(u, grid) + u)


class ChannelAttention(nn.Module):
    """MLP whose output is gated per channel and image; its cost is linear in the number of tokens.

    With z the tokens of a head, N x d: Q = softmax over tokens of W z, K = mean over channels of the softmax
    over tokens of z; the gate of channel j is A_j = temperature * sigmoid(sum over tokens of Q_j K).

    Args:
        dim: channels of a token, a multiple of ``heads``.
        heads: each has its own temperature.
    Notes:
        Q_j K is a mean of numbers near 1/N: the gate of an untrained network is 0.5 to within about 1e-3.
    Source:
        Zhou et al., ICML 2022, section 3.3. Written from the paper and a description of the published files.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.mlp_v = MixingMlp(dim)
        self.norm_v = nn.LayerNorm(dim)
        self.q = nn.Linear(dim, dim)

    def gates(self, tokens: Tensor) -> Tensor:
        """Compute the factor of every channel, (B,N,C) -> (B,heads,d,1)."""
        queries = per_head(self.q(tokens), self.heads).softmax(dim=2)  # (B,heads,N,d)
        keys = per_head(tokens, self.heads).softmax(dim=2).mean(-1, keepdim=True)  # (B,heads,N,1)
        return (queries.transpose(-2, -1) @ keys).sigmoid() * self.temperature

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """Transform (B,N,C) -> (B,N,C)."""
        gates = self.gates(tokens).flatten(1)[:, None]  # (B,1,C)
        return gates * self.norm_v(self.mlp_v(tokens, grid))
