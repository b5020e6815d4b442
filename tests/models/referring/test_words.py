"""Word encoder: the GRU word by word, padding of any length at either end, start vectors."""

import pytest
import torch

from wsstool.errors import BadInputError
from wsstool.models.referring.words import WordEncoder


def last_state(encoder: WordEncoder, words: list[int]) -> torch.Tensor:
    """The states of both directions after one sentence, by the equations of the GRU."""
    recurrent, found = encoder.recurrent, []
    for suffix, order in (("_l0", words), ("_l0_reverse", words[::-1])):
        w_in, w_state, b_in, b_state = (
            getattr(recurrent, f"{name}{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        h = torch.zeros(recurrent.hidden_size)
        for word in order:
            r_in, z_in, n_in = (w_in @ encoder.table.weight[word] + b_in).chunk(3)
            r_h, z_h, n_h = (w_state @ h + b_state).chunk(3)
            z = (z_in + z_h).sigmoid()
            h = (1 - z) * (n_in + (r_in + r_h).sigmoid() * n_h).tanh() + z * h
        found.append(h)
    return torch.cat(found)


@pytest.fixture
def encoder() -> WordEncoder:
    torch.manual_seed(0)
    return WordEncoder(12, channels=5, hidden=4).eval()


@torch.no_grad()
def test_against_the_equations(encoder):
    sentences = [[3, 1, 7], [5], [2, 9, 4, 11, 6]]
    padded = torch.tensor([[0] * (20 - len(words)) + words for words in sentences])
    found = encoder(padded)
    assert found.words.shape == (3, 5, 5) and found.state.shape == (3, 8)
    for k, words in enumerate(sentences):
        torch.testing.assert_close(found.state[k], last_state(encoder, words))
        assert found.known[k].tolist() == [t < len(words) for t in range(5)]
        torch.testing.assert_close(found.words[k, : len(words)], encoder.table.weight[words])


@torch.no_grad()
@pytest.mark.parametrize("row", [[4, 5, 0, 0], [0, 4, 5, 0], [0, 0, 0, 0, 0, 4, 5]])
def test_padding_changes_nothing(encoder, row):
    for one, other in zip(encoder(torch.tensor([row])), encoder(torch.tensor([[4, 5]])), strict=True):
        assert torch.equal(one, other)


def test_a_sentence_without_words(encoder):
    with pytest.raises(BadInputError, match="sentence 1 of the batch has no words"):
        encoder(torch.tensor([[0, 3], [0, 0]]))


def test_start_vectors(encoder):
    vectors = torch.randn(12, 5)
    encoder.start_from(vectors)
    assert torch.equal(encoder.table.weight[1:], vectors[1:]) and not encoder.table.weight[0].any()
    with pytest.raises(BadInputError, match=r"\(12, 6\) do not fit a vocabulary of 12 words of 5 channels"):
        encoder.start_from(torch.zeros(12, 6))
