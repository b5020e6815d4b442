"""Both attentions and the coordinates, position by position from the printed equations."""

import math

import pytest
import torch
import torch.nn.functional as F

from wsstool.errors import UsageError
from wsstool.models.referring.bcam import BCAM
from wsstool.models.referring.coordinates import coordinates
from wsstool.models.referring.linguistic_attention import LinguisticAttention, Reading
from wsstool.models.referring.position_attention import PositionAttention
from wsstool.models.referring.visual_attention import BINS, AsymmetricAttention
from wsstool.models.referring.words import Sentences

D, E, H, T = 6, 5, 4, 3
SIZES = [(4, 5), (9, 10), (1, 2)]


def softmax(values: list[float]) -> list[float]:
    powers = [math.exp(value - max(values)) for value in values]
    return [power / sum(powers) for power in powers]


def sentences(n: int, lengths: tuple[int, ...]) -> Sentences:
    known = torch.arange(T)[None] < torch.tensor(lengths)[:, None]
    return Sentences(torch.randn(n, T, E), known, torch.randn(n, H))


def reading(size: tuple[int, int], lengths: tuple[int, ...] = (3, 2)) -> Reading:
    torch.manual_seed(1)
    layer = LinguisticAttention(D, E, H)
    n = len(lengths)
    return layer(torch.randn(n, size[0] * size[1], D), size, sentences(n, lengths))


def test_coordinates():
    h, w = 3, 4
    found = coordinates((h, w), torch.float32, torch.device("cpu"))
    for row in range(h):
        for column in range(w):
            left, right = (2 * x / w - 1 for x in (column, column + 1))
            top, bottom = (2 * y / h - 1 for y in (row, row + 1))
            wanted = [left, top, right, bottom, (left + right) / 2, (top + bottom) / 2, 1 / w, 1 / h]
            torch.testing.assert_close(found[row * w + column], torch.tensor(wanted))


@torch.no_grad()
@pytest.mark.parametrize("size", SIZES)
def test_words_at_each_position(size):
    torch.manual_seed(0)
    layer, heard = LinguisticAttention(D, E, H), sentences(2, (3, 1))
    positions = size[0] * size[1]
    x, place = torch.randn(2, positions, D), coordinates(size, torch.float32, torch.device("cpu"))
    found = layer(x, size, heard)
    w = torch.cat([layer.visual.weight, layer.sentence.weight, layer.place.weight], 1)
    for s, length in enumerate((3, 1)):
        words = [layer.word.weight @ heard.words[s, t] for t in range(length)]
        for p in range(positions):
            v = w @ torch.cat([x[s, p], heard.state[s], place[p]]) + layer.visual.bias
            torch.testing.assert_close(found.features[s, p], v)
            share = softmax([float(v @ e) / D**0.5 for e in words]) + [0.0] * (T - length)
            torch.testing.assert_close(found.share[s, p], torch.tensor(share))


@torch.no_grad()
@pytest.mark.parametrize("size", SIZES)
def test_asymmetric_regions_at_each_position(size):
    torch.manual_seed(0)
    layer, read = AsymmetricAttention(D), reading(size)
    found = layer(read, size)
    for s in range(2):
        v = read.features[s]  # (P,D)
        vectors = read.share[s] @ read.words[s]

        def pooled(maps):
            """The cells of every level, each the mean of its rows and columns."""
            maps, cells = maps.reshape(*size, D), []
            for n in BINS:
                for i in range(n):
                    for j in range(n):
                        (a, b), (c, d) = (
                            (k * side // n, math.ceil((k + 1) * side / n))
                            for k, side in zip((i, j), size, strict=True)
                        )
                        cells.append(maps[a:b, c:d].mean((0, 1)))
            return torch.stack(cells)

        keys, values = pooled(v @ layer.key.weight.T), pooled(v @ layer.value.weight.T)
        assert len(keys) == 110
        for p in range(size[0] * size[1]):
            asked = layer.query.weight @ vectors[p]
            share = softmax([float(key @ asked) for key in keys])
            seen = sum(a * value for a, value in zip(share, values, strict=True))
            wanted = layer.join.weight @ torch.cat([seen, vectors[p]]) + layer.keep(v[p])
            torch.testing.assert_close(found[s, p], wanted)


def vanilla(layer: PositionAttention, read: Reading, position: torch.Tensor) -> torch.Tensor:
    """The printed formula; ``position`` (D,P)."""
    found = torch.zeros_like(read.features)
    for s, v in enumerate(read.features):
        vectors = read.share[s] @ read.words[s]
        for p in range(len(v)):
            asked = torch.tanh(layer.word.weight @ vectors[p] + layer.visual(v[p]))
            share = softmax([float(position[:, q] @ asked) for q in range(len(v))])
            seen = sum(a * (layer.value.weight @ v[q]) for q, a in enumerate(share))
            found[s, p] = layer.join.weight @ torch.cat([seen, vectors[p]]) + layer.keep(v[p])
    return found


@torch.no_grad()
def test_vanilla_regions_at_each_position():
    torch.manual_seed(0)
    layer, read = PositionAttention(D, (4, 5)), reading((4, 5))
    torch.testing.assert_close(layer(read, (4, 5)), vanilla(layer, read, layer.position.flatten(1)))


@torch.no_grad()
def test_vanilla_at_another_resolution_interpolates():
    torch.manual_seed(0)
    layer, read = PositionAttention(D, (4, 5)), reading((8, 7))
    position = F.interpolate(layer.position[None], (8, 7), mode="bilinear")[0]
    torch.testing.assert_close(layer(read, (8, 7)), vanilla(layer, read, position.flatten(1)))


def test_bad_attention():
    with pytest.raises(UsageError, match="no attention 'symmetric'; there are: asymmetric, vanilla"):
        BCAM(8, D, E, H, "symmetric")
    with pytest.raises(UsageError, match="needs the size of the map"):
        BCAM(8, D, E, H, "vanilla")


def test_cached_matrices_can_be_trained_with_after_inference():
    size = (7, 11)  # used by no other test
    layer, attention = AsymmetricAttention(D), LinguisticAttention(D, E, H)
    heard = sentences(1, (2,))
    with torch.inference_mode():
        layer(attention(torch.randn(1, 77, D), size, heard), size)
    layer(attention(torch.randn(1, 77, D), size, heard), size).sum().backward()
    assert attention.place.weight.grad.abs().sum() > 0
