"""Vision-guided linguistic attention (VLAM): which words matter at each position of the map."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from wsstool.models.referring.coordinates import CHANNELS, coordinates
from wsstool.models.referring.spread import per_sentence
from wsstool.models.referring.words import Sentences


class Reading(NamedTuple):
    """What each position of a map reads of its sentence.

    The sentence vector of position p is l_p = sum over t of share[p,t] words[t]. It is kept in this form,
    since any projection of it is one of T words instead of P positions.

    Attributes:
        features: (S,P,D), v_p.
        share: (S,P,T), attention on the words, sum 1; 0 at padding.
        words: (S,T,D).
    """

    features: Tensor
    share: Tensor
    words: Tensor


class LinguisticAttention(nn.Module):
    """v_p = w [x_p, h_T, s_p]; share_pt = softmax over t of v_p . e_t / sqrt(D).

    x_p are visual features, h_T the state of the sentence, s_p the coordinates, e_t the word vectors, which a
    linear layer brings to the width of v_p.

    Args:
        width: D.
        word_channels: E.
        state_channels: of h_T.
    Notes:
        The visual features have norm 1. With the usual initialisation they would hardly count beside the
        coordinates, and a network would learn places long before colours: here the three parts of v_p start
        with similar magnitude. The published scores have no divisor; it keeps the softmax flat at first.
    Source:
        Feng et al., TNNLS 2021, section III-B. Written from notes on the paper.
    """

    def __init__(self, width: int, word_channels: int, state_channels: int) -> None:
        super().__init__()
        self.visual = nn.Linear(width, width)
        self.sentence = nn.Linear(state_channels, width, bias=False)
        self.place = nn.Linear(CHANNELS, width, bias=False)
        self.word = nn.Linear(word_channels, width, bias=False)
        for layer, deviation in ((self.visual, 1.0), (self.place, 0.4), (self.sentence, 0.5)):
            nn.init.normal_(layer.weight, std=deviation)

    def forward(
        self, x: Tensor, size: tuple[int, int], sentences: Sentences, image_of: Tensor | None = None
    ) -> Reading:
        """Read the sentences at every position.

        Args:
            x: (S,P,D) visual features per sentence, or (B,P,D) per image with ``image_of``.
            size: (h, w), P = h w.
            sentences: encoded.
            image_of: (S,) int64 image of each sentence, or None.
        """
        seen = self.visual(x) + self.place(coordinates(size, x.dtype, x.device))  # (B or S,P,D)
        features = per_sentence(seen, image_of) + self.sentence(sentences.state)[:, None]
        words = self.word(sentences.words)  # (S,T,D)
        scores = features @ words.mT * words.shape[2] ** -0.5  # (S,P,T)
        share = scores.masked_fill(~sentences.known[:, None], float("-inf")).softmax(2)
        return Reading(features, share, words)
