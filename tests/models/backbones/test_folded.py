"""Folded batch norms give what the two layers gave, and learn as they did."""

from __future__ import annotations

import copy

import torch

from wsstool.models.backbones import build_backbone
from wsstool.models.backbones.folded import fold_norms


def with_random_statistics(network: torch.nn.Module) -> torch.nn.Module:
    """Draw the statistics of all batch norms, so that every norm counts; in eval mode."""
    with torch.no_grad():
        for name, value in network.named_buffers():
            if name.endswith("running_var"):
                value.uniform_(0.5, 2)
            elif name.endswith("running_mean"):
                value.normal_(0, 0.1)
    return network.eval()


def _network() -> torch.nn.Module:
    torch.manual_seed(0)
    return with_random_statistics(build_backbone("mobilenet-v2"))


def test_maps_and_gradients_stay_as_they_were() -> None:
    plain = _network()
    folded = copy.deepcopy(plain)
    fold_norms(folded)
    assert list(folded.state_dict()) == list(plain.state_dict())
    x = torch.rand(2, 3, 64, 64)
    maps = [network(x) for network in (plain, folded)]
    torch.testing.assert_close(maps[1], maps[0], rtol=1e-3, atol=1e-5)
    for one in maps:
        one.square().mean().backward()
    for one, other in zip(plain.parameters(), folded.parameters(), strict=True):
        torch.testing.assert_close(other.grad, one.grad, rtol=1e-2, atol=1e-2 * float(one.grad.abs().max()))


def test_a_norm_in_training_normalises_by_the_batch() -> None:
    plain = _network()
    folded = copy.deepcopy(plain)
    fold_norms(folded)
    x = torch.rand(4, 3, 64, 64)
    maps = [network.train()(x) for network in (plain, folded)]
    torch.testing.assert_close(maps[1], maps[0])
    torch.testing.assert_close(
        folded.state_dict()["features.0.1.running_mean"], plain.state_dict()["features.0.1.running_mean"]
    )


def test_a_copy_has_weights_of_its_own() -> None:
    folded = _network()
    fold_norms(folded)
    x = torch.rand(1, 3, 64, 64)
    before = folded(x)
    other = copy.deepcopy(folded)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    assert torch.equal(folded(x), before) and not other(x).any()
