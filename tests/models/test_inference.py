"""Averaged probabilities: symmetry, single views, restriction, any size."""

import pytest
import torch
from torch import nn

from wsstool.models.class_probabilities import class_probabilities, on_grid
from wsstool.models.segmenter import build_segmenter


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return build_segmenter("fcn-tiny", 4).eval()


def images(height: int = 37, width: int = 50) -> torch.Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(1))


def test_one_view_of_a_fitting_size_is_the_softmax(network: nn.Module) -> None:
    x = images(32, 64)
    torch.testing.assert_close(class_probabilities([network], x), network(x).softmax(dim=1))


@pytest.mark.parametrize("scales", [(1.0,), (0.5, 1.0, 1.5)])
def test_mirrored_input_gives_the_mirrored_result(network: nn.Module, scales: tuple[float, ...]) -> None:
    x = images()
    plain = class_probabilities([network], x, scales=scales, flip=True)
    mirrored = class_probabilities([network], x.flip(-1), scales=scales, flip=True)
    torch.testing.assert_close(mirrored, plain.flip(-1), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(plain.sum(dim=1), torch.ones(2, 37, 50))


def test_networks_are_averaged(network: nn.Module) -> None:
    torch.manual_seed(5)
    other, x = build_segmenter("fcn-tiny", 4).eval(), images()
    both = class_probabilities([network, other], x)
    want = (class_probabilities([network], x) + class_probabilities([other], x)) / 2
    torch.testing.assert_close(both, want)


def test_restriction_removes_classes_and_shares_their_part(network: nn.Module) -> None:
    x = images(32, 32)
    allowed = torch.tensor([[True, False, True, False], [True, True, True, True]])
    probs = class_probabilities([network], x, allowed=allowed)
    free = network(x).softmax(dim=1)
    assert (probs[0, [1, 3]] == 0).all()
    torch.testing.assert_close(probs[0, [0, 2]], free[0, [0, 2]] / free[0, [0, 2]].sum(dim=0))
    torch.testing.assert_close(probs[1], free[1])


@pytest.mark.parametrize("size", [(1, 1), (1, 90), (33, 2)])
def test_any_size(network: nn.Module, size: tuple[int, int]) -> None:
    probs = class_probabilities([network], images(*size), scales=(0.25, 2.0), flip=True)
    assert probs.shape == (2, 4, *size)
    assert probs.isfinite().all()


def test_grid_of_four_pixels() -> None:
    probs = torch.rand(1, 3, 10, 9).softmax(dim=1)
    small = on_grid(probs, 4)
    assert small.shape == (1, 3, 3, 3)
    torch.testing.assert_close(small.sum(dim=1), torch.ones(1, 3, 3))
    assert on_grid(probs, 1) is probs
