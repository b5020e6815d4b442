"""Asymmetric language-guided visual attention (LVAM): which regions matter to the words of each position."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsstool.models.referring.linguistic_attention import Reading

BINS = (1, 3, 6, 8)
"""Cells per axis of each level of the pyramid: 110 cells together."""


@lru_cache(maxsize=8)
@torch.inference_mode(False)  # a tensor of inference mode could not be used in training afterwards
def pyramid_weights(size: tuple[int, int], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the matrix that takes the means of a map over the cells of the pyramid: (110, h w).

    Cells are those of ``torch.nn.AdaptiveAvgPool2d``; as one product they take a fifth of its time.
    """
    rows, columns = ([_bins(n, length) for n in BINS] for length in size)
    levels = [torch.kron(down, across) for down, across in zip(rows, columns, strict=True)]
    return torch.cat(levels).to(device, dtype)


def _bins(n: int, length: int) -> Tensor:
    """Return (n, length): the mean over each of ``n`` bins of a line."""
    i, at = torch.arange(n)[:, None], torch.arange(length)
    inside = ((at >= i * length // n) & (at < -(-(i + 1) * length // n))).float()
    return inside / inside.sum(1, keepdim=True)


class AsymmetricAttention(nn.Module):
    """A = softmax over cells of PPM(W1 V)^T (W2 L); V~ = A^T PPM(W3 V); F = W4 [V~, L] + W5 V.

    PPM takes means over the cells of a pyramid: 110 cells stand for all positions, at any resolution.

    Args:
        width: D.
        size: unused; ``PositionAttention`` needs it.
    Notes:
        Linear layers and means commute, so W1, W3 and W4 are applied to 110 cells and W2, W4 to T words
        instead of P positions; the result is that of the equations.
    Source:
        Feng et al., TNNLS 2021, section III-C. Written from notes on the paper.
    """

    def __init__(self, width: int, size: tuple[int, int] | None = None) -> None:
        super().__init__()
        self.key = nn.Linear(width, width, bias=False)  # W1
        self.query = nn.Linear(width, width, bias=False)  # W2
        self.value = nn.Linear(width, width, bias=False)  # W3
        self.join = nn.Linear(2 * width, width, bias=False)  # W4
        self.keep = nn.Linear(width, width)  # W5

    def forward(self, reading: Reading, size: tuple[int, int]) -> Tensor:
        """Return F: (S,P,D)."""
        features, share, words = reading
        cells = pyramid_weights(size, features.dtype, features.device) @ features  # (S,110,D)
        scores = share @ (self.query(words) @ self.key(cells).mT)  # (S,P,110)
        from_cells, from_words = self.join.weight.chunk(2, 1)
        regions = scores.softmax(2) @ F.linear(self.value(cells), from_cells)
        return self.keep(features) + regions + share @ F.linear(words, from_words)
