"""EfficientNet-Lite against timm's at equal weights, and the published file under its own names."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.models.backbones.test_folded import with_random_statistics
from wsstool.models.backbones import (
    CLASSIFIER_PREFIXES,
    Backbone,
    build_backbone,
    plain_shapes,
    weightless,
)
from wsstool.models.initial_weights import load_backbone
from wsstool.models.recognise import fitting_backbones
from wsstool.models.weights import Weights, load_weights, save_weights

PUBLISHED = "data/weights/efficientnet-lite0-57934424.pth"


@pytest.fixture(scope="module")
def theirs() -> nn.Module:
    """The network of timm."""
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    return with_random_statistics(timm.create_model("tf_efficientnet_lite0"))


@pytest.fixture(scope="module")
def ours(theirs: nn.Module) -> Backbone:
    backbone = build_backbone("efficientnet-lite0").eval()
    load_backbone(backbone, Weights(dict(theirs.state_dict())), "timm's weights")
    return backbone


def test_features_are_those_of_timm(ours: Backbone, theirs: nn.Module) -> None:
    """At these sides the padding of TensorFlow is symmetric at every stride, as ours is."""
    x = torch.randn(1, 3, 65, 97, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = theirs.forward_features(x)
        torch.testing.assert_close(ours(x), expected, rtol=0, atol=1e-5 * float(expected.std()))


def test_names_of_timm_are_recognised(theirs: nn.Module) -> None:
    named = weightless("efficientnet-lite0").own_names(theirs.state_dict())
    shapes = {name: tuple(value.shape) for name, value in named.items()}
    assert plain_shapes("efficientnet-lite0").items() <= shapes.items()


@pytest.mark.parametrize("number, width", [(1, 320), (2, 352)])
def test_larger_ones_have_the_tensors_of_timm(number: int, width: int) -> None:
    timm = pytest.importorskip("timm")
    with torch.device("meta"):
        theirs = timm.create_model(f"tf_efficientnet_lite{number}").state_dict()
        ours = build_backbone(f"efficientnet-lite{number}")
    named = {k: v for k, v in ours.own_names(theirs).items() if not k.startswith(CLASSIFIER_PREFIXES)}
    assert {k: v.shape for k, v in named.items()} == {k: v.shape for k, v in ours.state_dict().items()}
    assert ours.without_expansion().out_channels == width


@pytest.mark.data
def test_the_published_file_fits_exactly(shared: Path) -> None:
    weights = load_weights(shared / PUBLISHED)
    assert len(weights.state_dict) == 296
    backbone = build_backbone("efficientnet-lite0").eval()
    load_backbone(backbone, weights, PUBLISHED)
    assert fitting_backbones(weights.state_dict) == ["efficientnet-lite0"]
    state: dict[str, Tensor] = backbone.state_dict()
    assert all(torch.equal(state[name], weights.state_dict[name]) for name in state)


@pytest.mark.parametrize("stride", [16, 8])
def test_dilated_network_contains_the_plain_one(ours: Backbone, stride: int) -> None:
    dense = build_backbone("efficientnet-lite0", output_stride=stride).eval()
    dense.load_state_dict(ours.state_dict())
    x = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        step = 32 // stride
        torch.testing.assert_close(dense(x)[..., ::step, ::step], ours(x), rtol=1e-4, atol=1e-5)


def test_classifier_weights_of_ours_start_a_segmenter(tmp_path: Path, ours: Backbone) -> None:
    from wsstool.models.segmenter import build_segmenter, start_from

    save_weights(tmp_path / "cls.pth", {f"backbone.{k}": v for k, v in ours.state_dict().items()}, {})
    segmenter = build_segmenter("deeplabv3-efficientnet-lite0", 3, width=8)
    assert start_from(segmenter, load_weights(tmp_path / "cls.pth").state_dict) == "backbone"
    assert torch.equal(segmenter.backbone.state_dict()["_bn0.weight"], ours.state_dict()["_bn0.weight"])
