"""Language-guided visual attention as first published: between all pairs of positions, at one resolution."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsstool.errors import UsageError
from wsstool.models.referring.linguistic_attention import Reading


class PositionAttention(nn.Module):
    """share_pq = softmax over q of w_q . tanh(w_l l_p + w_v v_p); v~_p = sum over q of share_pq w_v' v_q.

    The result is f_p = w_1 [v~_p, l_p] + w_2 v_p. There is one learned vector w_q for each position q, which
    binds the weights to one resolution; on a map of another size they are interpolated (bilinear).

    Args:
        width: D.
        size: (h, w) of the map in training.
    Notes:
        The published program takes the softmax over the index that is not summed afterwards. This is the
        printed formula. Memory grows with the square of the number of positions: 10 MB per sentence and stage
        at 40 x 40.
    Source:
        Feng et al., CVPR 2020, section 3.3. Written from notes on the paper.
    """

    def __init__(self, width: int, size: tuple[int, int] | None) -> None:
        super().__init__()
        if size is None:
            raise UsageError("attention between positions needs the size of the map")
        self.word = nn.Linear(width, width, bias=False)  # w_l
        self.visual = nn.Linear(width, width)  # w_v
        self.position = nn.Parameter(torch.empty(width, *size))  # w_q
        nn.init.normal_(self.position, std=width**-0.5)
        self.value = nn.Linear(width, width, bias=False)  # w_v'
        self.join = nn.Linear(2 * width, width, bias=False)  # w_1
        self.keep = nn.Linear(width, width)  # w_2

    def forward(self, reading: Reading, size: tuple[int, int]) -> Tensor:
        """Return f: (S,P,D)."""
        features, share, words = reading
        position: Tensor = self.position
        if position.shape[1:] != size:
            position = F.interpolate(position[None], size=size, mode="bilinear", align_corners=False)[0]
        asked = (share @ self.word(words) + self.visual(features)).tanh()  # (S,P,D)
        scores = asked @ position.flatten(1)  # (S,P,P)
        from_regions, from_words = self.join.weight.chunk(2, 1)
        regions = scores.softmax(2) @ F.linear(self.value(features), from_regions)
        return self.keep(features) + regions + share @ F.linear(words, from_words)
