"""Word encoder: a table of word vectors and a bidirectional GRU."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from wsstool.errors import BadInputError

PAD = 0
"""Index of ``<pad>`` in every vocabulary; 1 is ``<unk>``."""


_GRU_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class Sentences(NamedTuple):
    """Encoded sentences.

    Attributes:
        words: (S,T,E) float, the word vectors, T being the length of the longest sentence.
        known: (S,T) bool, false at padding.
        state: (S,2 hidden) float, the last state of the GRU in either direction.
    """

    words: Tensor
    known: Tensor
    state: Tensor


class WordEncoder(nn.Module):
    """Word indices to word vectors and one vector per sentence.

    Args:
        n_words: size of the vocabulary, with ``<pad>`` and ``<unk>``.
        channels: E, of a word vector.
        hidden: states of the GRU in each direction.
    Notes:
        The published networks of this group use an LSTM, a GRU or BERT in turn; the GRU is the smallest.
    Source:
        Feng et al., TNNLS 2021 (BRINet), section III-A. Independent.
    Example:
        >>> encoder = WordEncoder(10, channels=4, hidden=3)
        >>> encoder(torch.tensor([[0, 0, 5], [2, 3, 4]])).words.shape
        torch.Size([2, 3, 4])
    """

    def __init__(self, n_words: int, channels: int, hidden: int) -> None:
        super().__init__()
        self.table = nn.Embedding(n_words, channels, padding_idx=PAD)
        self.recurrent = nn.GRU(channels, hidden, batch_first=True, bidirectional=True)

    def forward(self, words: Tensor) -> Sentences:
        """Encode sentences.

        Args:
            words: (S,T) int64, ``PAD`` where there is no word, at either end.

        Raises:
            BadInputError: a sentence without words.
        """
        if torch.compiler.is_compiling():
            return self._traced(words)
        lengths = (words != PAD).sum(1).cpu()
        if not bool((lengths > 0).all()):
            raise BadInputError(f"sentence {int(lengths.argmin())} of the batch has no words")
        longest = int(lengths.max()) if len(lengths) else 0
        # words first: what the forward GRU reads before them would change its states
        order = (words == PAD).to(torch.uint8).argsort(dim=1, stable=True)[:, :longest]
        words = words.gather(1, order)
        vectors = self.table(words)  # (S,T,E)
        packed = pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
        _, last = self.recurrent(packed)  # (2,S,hidden)
        return Sentences(vectors, words != PAD, last.transpose(0, 1).flatten(1))

    def _traced(self, words: Tensor) -> Sentences:
        """Encode sentences of any length by the same number of steps; padding leaves the states unchanged.

        The words stay where they are: attention does not depend on their order.
        """
        vectors, known = self.table(words), words != PAD
        steps = range(words.shape[1])
        last = []
        for suffix, order in (("l0", steps), ("l0_reverse", reversed(steps))):
            weights = [getattr(self.recurrent, f"{kind}_{suffix}") for kind in _GRU_WEIGHTS]
            state = vectors.new_zeros(1, self.recurrent.hidden_size).expand(words.shape[0], -1)
            for t in order:
                state = torch.where(known[:, t, None], torch.gru_cell(vectors[:, t], state, *weights), state)
            last.append(state)
        return Sentences(vectors, known, torch.cat(last, 1))

    def start_from(self, vectors: Tensor) -> None:
        """Copy word vectors into the table, such as those of GloVe; that of ``<pad>`` stays zero.

        Args:
            vectors: (n_words,E) float.

        Raises:
            BadInputError: of another shape.
        """
        if vectors.shape != self.table.weight.shape:
            raise BadInputError(
                f"word vectors of shape {tuple(vectors.shape)} do not fit a vocabulary of "
                f"{self.table.num_embeddings} words of {self.table.embedding_dim} channels"
            )
        with torch.no_grad():
            self.table.weight.copy_(vectors)
            self.table.weight[PAD] = 0
