"""Pooling heads by hand, the classifier's contract, the lookup of layers."""

from __future__ import annotations

import math

import pytest
import torch

from wsstool.errors import UsageError
from wsstool.models.classifier import POOLS, build_classifier, normalise
from wsstool.models.layers import find_layer

MAPS = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]]]])


@pytest.mark.parametrize(
    "pool, value",
    [
        ("average", 3.0),
        ("max", 6.0),
        ("lse", math.log((math.exp(4) + math.exp(8) + math.exp(12) + math.exp(24)) / 4) / 4),
        ("topk", 6.0),
    ],
)
def test_pooling_by_hand(pool: str, value: float) -> None:
    assert POOLS[pool](MAPS).item() == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("pool", POOLS)
def test_pooling_of_a_constant_is_the_constant(pool: str) -> None:
    torch.testing.assert_close(POOLS[pool](torch.full((2, 3, 5, 4), -1.5)), torch.full((2, 3), -1.5))


@pytest.mark.parametrize("pool", POOLS)
def test_pooling_lies_between_mean_and_maximum(pool: str) -> None:
    maps = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    pooled = POOLS[pool](maps)
    assert (pooled >= maps.mean((-2, -1)) - 1e-6).all() and (pooled <= maps.amax((-2, -1)) + 1e-6).all()


@pytest.mark.parametrize("pool", POOLS)
def test_logits_are_pooled_maps(pool: str) -> None:
    model = build_classifier("tiny", 4, pool=pool, dropout=0.5).eval()
    x = torch.randn(2, 3, 40, 48, generator=torch.Generator().manual_seed(0))
    maps = model.class_maps(x)
    assert maps.shape == (2, 4, 5, 6)
    torch.testing.assert_close(maps, model.head(model.features(x)))
    torch.testing.assert_close(model(x), POOLS[pool](maps))


def test_default_layer_gives_the_features() -> None:
    for arch in ("tiny", "resnet-18", "mobilenet-v2", "regnet-y-400mf"):
        model = build_classifier(arch, 2).eval()
        seen = []
        find_layer(model, model.default_layer).register_forward_hook(
            lambda m, i, o, seen=seen: seen.append(o)
        )
        x = torch.randn(1, 3, 64, 64)
        torch.testing.assert_close(model.features(x), seen[0])


@pytest.mark.parametrize("arguments", [{"pool": "nadir"}, {"n_classes": 0}])
def test_wrong_arguments(arguments: dict) -> None:
    with pytest.raises(UsageError):
        build_classifier("tiny", **{"n_classes": 2, **arguments})


def test_normalise_by_hand() -> None:
    images = torch.tensor([0, 255, 51], dtype=torch.uint8).view(1, 3, 1, 1)
    expected = torch.tensor([-1.0, 2.0, 0.0]).view(1, 3, 1, 1)
    torch.testing.assert_close(normalise(images, (0.5, 0.5, 0.2), (0.5, 0.25, 0.1)), expected)
