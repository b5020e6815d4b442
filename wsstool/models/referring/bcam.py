"""Bi-directional cross-modal attention (BCAM): words for each position, then regions for these words."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsstool.errors import UsageError
from wsstool.models.referring.linguistic_attention import LinguisticAttention
from wsstool.models.referring.position_attention import PositionAttention
from wsstool.models.referring.spread import per_sentence
from wsstool.models.referring.visual_attention import AsymmetricAttention
from wsstool.models.referring.words import Sentences

ATTENTIONS: dict[str, type[AsymmetricAttention] | type[PositionAttention]] = {
    "asymmetric": AsymmetricAttention,
    "vanilla": PositionAttention,
}
"""Forms of the visual attention by name."""


class BCAM(nn.Module):
    """Reduce a feature map to ``width``, L2-normalise it, and apply both attentions.

    Args:
        channels: C, of the feature map.
        width: D.
        word_channels, state_channels: of ``Sentences``.
        attention: a name of ``ATTENTIONS``.
        size: (h, w) of the map in training; only ``vanilla`` needs it.

    Raises:
        UsageError: no such attention.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        word_channels: int,
        state_channels: int,
        attention: str = "asymmetric",
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        if attention not in ATTENTIONS:
            raise UsageError(f"no attention '{attention}'; there are: {', '.join(ATTENTIONS)}")
        self.reduce = nn.Linear(channels, width)
        self.linguistic = LinguisticAttention(width, word_channels, state_channels)
        self.visual = ATTENTIONS[attention](width, size)

    def forward(self, x: Tensor, sentences: Sentences, image_of: Tensor | None = None) -> Tensor:
        """Return the features of each position with its words and regions.

        Args:
            x: (S,C,h,w) per sentence, or (B,C,h,w) per image with ``image_of``.
            sentences: encoded.
            image_of: (S,) int64 image of each sentence, or None.

        Returns:
            (S,P,D).
        """
        size = (x.shape[2], x.shape[3])
        reduced = F.normalize(self.reduce(x.flatten(2).mT), dim=2)  # (B or S,P,D)
        return self.visual(self.linguistic(reduced, size, sentences, image_of), size)


class ResidualBCAM(nn.Module):
    """BCAM inside an encoder: c + |c| normalise(BCAM(c), brought back to the channels of c).

    The norms are L2 over the channels of each position, so image and words have equal weight everywhere.

    Args:
        channels, width, word_channels, state_channels, attention, size: see ``BCAM``.
    Notes:
        The published sum is normalise(c) + normalise(BCAM(c)): this one has the same direction at every
        position and keeps the magnitude of c, to which pre-trained weights and frozen batch norms of the next
        stage are tuned, and which separates objects from background for the decoder.
    Source:
        Feng et al., CVPR 2021 (encoder fusion) and TNNLS 2021. Written from notes on the papers.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        word_channels: int,
        state_channels: int,
        attention: str = "asymmetric",
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        self.bcam = BCAM(channels, width, word_channels, state_channels, attention, size)
        self.expand = nn.Linear(width, channels)

    def forward(self, x: Tensor, sentences: Sentences, image_of: Tensor | None = None) -> Tensor:
        """(S,C,h,w), or (B,C,h,w) with ``image_of``, -> (S,C,h,w)."""
        fused = self.expand(F.relu(self.bcam(x, sentences, image_of)))  # (S,P,C)
        words = F.normalize(fused, dim=2).mT.unflatten(2, x.shape[2:])
        magnitude = torch.linalg.vector_norm(x, dim=1, keepdim=True)
        return per_sentence(x, image_of) + per_sentence(magnitude, image_of) * words
