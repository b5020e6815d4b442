"""Segmenters: shapes on every head, the pyramid's rates, start weights, no cross-talk."""

import pytest
import torch
import torchvision

from wsstool.errors import BadInputError, UsageError
from wsstool.models.backbones import build_backbone
from wsstool.models.classifier import build_classifier
from wsstool.models.segmenter import build_segmenter, start_from
from wsstool.registries.heads import HEADS
from wsstool.registries.segmenters import split_arch


@pytest.mark.parametrize(
    "arch", [*(f"{head}-tiny" for head in HEADS), "lraspp-mobilenet-v3-small", "deeplabv3-resnet-18"]
)
def test_logits_have_the_size_of_the_input(arch: str) -> None:
    model = build_segmenter(arch, 5, width=8).eval()
    with torch.no_grad():
        logits = model(torch.randn(1, 3, 67, 50))
    assert logits.shape == (1, 5, 67, 50)
    assert logits.dtype == torch.float32
    assert logits.std() > 0


def test_lraspp_features_are_the_backbones() -> None:
    model = build_segmenter("lraspp-resnet-18", 3).eval()
    seen = {}
    model.head.register_forward_hook(lambda _, inputs, __: seen.update(low=inputs[0], high=inputs[1]))
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        model(x)
        torch.testing.assert_close(seen["high"], model.backbone(x))
    assert seen["low"].shape[-1] == 8 and seen["high"].shape[-1] == 4


@pytest.mark.parametrize(("stride", "rates"), [(32, [3, 6, 9]), (16, [6, 12, 18]), (8, [12, 24, 36])])
def test_rates_follow_the_stride(stride: int, rates: list[int]) -> None:
    with torch.device("meta"):
        model = build_segmenter("deeplabv3-mobilenet-v2", 2, output_stride=stride, width=4)
    found = [
        m.dilation[0] for m in model.head[0].modules() if isinstance(m, torch.nn.Conv2d) and m.dilation[0] > 1
    ]
    assert found == rates
    assert model.backbone.stride == stride


def test_the_expansion_of_mobile_backbones_is_left_out() -> None:
    with torch.device("meta"):
        model = build_segmenter("fcn-mobilenet-v2", 2)
        assert build_segmenter("fcn-resnet-18", 2).backbone.out_channels == 512
    assert model.backbone.out_channels == 320
    assert model.get_submodule(model.default_layer) is model.backbone.features[17]


def test_start_from_classifier_imagenet_and_segmenter() -> None:
    model = build_segmenter("fcn-mobilenet-v3-small", 4)
    key = "features.5.block.0.0.weight"
    classifier = build_classifier("mobilenet-v3-small", 7)
    assert start_from(model, classifier.state_dict()) == "backbone"
    assert torch.equal(model.backbone.state_dict()[key], classifier.backbone.state_dict()[key])
    imagenet = torchvision.models.mobilenet_v3_small(weights=None).state_dict()
    assert start_from(model, imagenet) == "backbone"
    assert torch.equal(model.backbone.state_dict()[key], imagenet[key])
    twin = build_segmenter("fcn-mobilenet-v3-small", 4)
    assert start_from(twin, model.state_dict()) == "backbone and head"
    assert all(
        torch.equal(a, b)
        for a, b in zip(model.state_dict().values(), twin.state_dict().values(), strict=True)
    )


def test_foreign_weights_are_refused_and_change_nothing() -> None:
    model = build_segmenter("fcn-tiny", 2)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(BadInputError, match="tiny"):
        start_from(model, build_backbone("resnet-18").state_dict())
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


@pytest.mark.parametrize("arch", ["unet-tiny", "fcn-", "fcn", "deeplabv3-resnet-51", ""])
def test_unknown_arch(arch: str) -> None:
    with pytest.raises(UsageError, match="HEAD-BACKBONE"):
        split_arch(arch)


def test_every_parameter_learns() -> None:
    for head in HEADS:
        model = build_segmenter(f"{head}-tiny", 3, width=8)
        model(torch.randn(2, 3, 32, 32)).square().mean().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_a_frozen_backbone_keeps_its_batch_statistics() -> None:
    model = build_segmenter("pyramid-tiny", 3)
    model.freeze_backbone()
    before = {key: value.clone() for key, value in model.backbone.state_dict().items()}
    model.train()(torch.rand(2, 3, 32, 32)).sum().backward()
    assert all(torch.equal(value, before[key]) for key, value in model.backbone.state_dict().items())
    assert all(p.grad is None for p in model.backbone.parameters())
    assert all(p.grad is not None for p in model.head.parameters())


def test_the_pyramid_reads_two_depths() -> None:
    model = build_segmenter("pyramid-mobilenet-v2", 3)
    assert model.low_stage == "features.13"  # 96 channels, before the last halving
    assert model.head.reduce[0].in_channels == 96 + 1280
