"""The contour network: shapes, conditions, start weights; and maps of several windows."""

import numpy as np
import pytest
import torch

from wsstool.errors import BadInputError, UsageError
from wsstool.models.backbones import build_backbone
from wsstool.models.contour import build_contour
from wsstool.models.contour_maps import ObjectCrop, joined, view_maps
from wsstool.models.initial_weights import start_network
from wsstool.models.weights import build_from_weights, save_weights


@pytest.mark.parametrize(("arch", "levels"), [("tiny", 3), ("mobilenet-v2", 5), ("resnet-18", 5)])
def test_maps_have_half_the_size(arch, levels):
    network = build_contour(arch, width=8).eval()
    assert len(network.laterals) == levels
    with torch.no_grad():
        assert network(torch.zeros(2, 3, 64, 48)).shape == (2, 32, 24)
        assert network(torch.zeros(1, 3, 33, 47)).shape == (1, 17, 24)


def test_starts_cold():
    network = build_contour("tiny", width=8)
    assert network.classify.bias.item() == -2


@pytest.mark.parametrize(
    ("condition", "one", "other"),
    [
        ("class", torch.tensor([0, 1]), torch.tensor([1, 1])),
        ("vector", torch.ones(2, 3), torch.tensor([[0.0, 0, 0], [1, 1, 1]])),
    ],
)
def test_a_condition_steers_and_starts_without_effect(condition, one, other):
    network = build_contour("tiny", width=8, condition=condition, condition_size=3).eval()
    torch.manual_seed(0)
    x = torch.randn(1, 3, 32, 32).expand(2, -1, -1, -1)
    with torch.no_grad():
        assert torch.equal(network(x, one), network(x, other))
        torch.nn.init.normal_(network.steer.weight)
        first, second = network(x, one), network(x, other)
    assert not torch.allclose(first[0], second[0]) and torch.allclose(first[1], second[1], atol=1e-5)
    with pytest.raises(UsageError, match=f"needs a {condition} that identifies the object"):
        network(x)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"width": 12}, "--width 12"),
        ({"condition": "word"}, "no condition 'word'"),
        ({"condition": "class"}, "needs a size"),
    ],
)
def test_bad_options(options, match):
    with pytest.raises(UsageError, match=match):
        build_contour("tiny", **options)


class TestStartWeights:
    def test_of_a_backbone_and_of_a_whole_network(self):
        backbone = build_backbone("resnet-18")
        network = build_contour("resnet-18", width=8)
        assert (
            start_network(network, {**backbone.state_dict(), "fc.weight": torch.zeros(3)}, "x") == "backbone"
        )
        assert torch.equal(network.backbone.conv1.weight, backbone.conv1.weight)
        other = build_contour("resnet-18", width=8)
        assert start_network(other, network.state_dict(), "x") == "network"
        assert torch.equal(other.classify.weight, network.classify.weight)

    def test_of_another_network(self):
        with pytest.raises(
            BadInputError, match="x holds the weights of resnet-18, not of tiny; did you mean"
        ):
            start_network(build_contour("tiny", width=8), build_backbone("resnet-18").state_dict(), "x")

    def test_of_no_known_network(self):
        with pytest.raises(BadInputError, match=r"x .* cannot initialise tiny"):
            start_network(build_contour("tiny", width=8), {"a.weight": torch.zeros(3)}, "x")

    def test_frozen_parts_stay(self):
        network = build_contour("tiny", width=8)
        network.freeze_start(2)
        network.train()
        before = {k: v.clone() for k, v in network.state_dict().items() if "running" in k}
        network(torch.randn(4, 3, 32, 32)).sum().backward()
        assert before and all(torch.equal(network.state_dict()[k], v) for k, v in before.items())
        assert network.backbone.features[0][0].weight.grad is None
        assert network.backbone.features[1][0].weight.grad is not None


def test_comes_back_from_its_file(tmp_path):
    network = build_contour("tiny", width=16, condition="class", condition_size=4).eval()
    meta = {"arch": "tiny", "task": "contour", "class_ids": [1, 2, 3], "width": 16}
    save_weights(
        tmp_path / "c.pth", network.state_dict(), {**meta, "condition": "class", "condition_size": 4}
    )
    found, _ = build_from_weights(tmp_path / "c.pth")
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(found(x, torch.tensor([2])), network(x, torch.tensor([2])))


class TestMaps:
    def test_size_of_the_window_and_batches(self):
        torch.manual_seed(0)
        network = build_contour("tiny", width=8).eval()
        rng = np.random.default_rng(0)
        views = [
            ObjectCrop(rng.integers(0, 255, (32, 32, 3), np.uint8), (32, 32), (3, 4, 3 + w, 4 + h), 0)
            for w, h in [(10, 7), (90, 50), (1, 1)]
        ]
        norm = {"mean": [0.5] * 3, "std": [0.2] * 3}
        maps = view_maps(network, views, **norm)
        assert [m.shape for m in maps] == [(7, 10), (50, 90), (1, 1)]
        for one, other in zip(maps, view_maps(network, views, batch_size=1, **norm), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)
            assert one.min() >= 0 and one.max() <= 1

    @pytest.mark.parametrize("extent", [(32, 32), (32, 20)])
    def test_flip_makes_the_map_symmetric(self, extent):
        torch.manual_seed(0)
        network = build_contour("tiny", width=8).eval()
        image = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
        image[:, : extent[1]] = image[:, : extent[1]] // 2 + image[:, : extent[1]][:, ::-1] // 2
        (one,) = view_maps(
            network,
            [ObjectCrop(image, extent, (0, 0, extent[1], 32), 0)],
            mean=[0.5] * 3,
            std=[0.2] * 3,
            flip=True,
        )
        np.testing.assert_allclose(one, one[:, ::-1], atol=1e-6)

    def test_joined_averages_where_seen(self):
        small, large = np.full((2, 2), 0.2), np.full((4, 6), 0.6)
        found = joined([small, large], [(2, 1, 4, 3), (0, 0, 6, 4)], (0, 0, 6, 4))
        assert found.shape == (4, 6) and found[0, 0] == 0.6
        np.testing.assert_allclose(found[1:3, 2:4], 0.4)
