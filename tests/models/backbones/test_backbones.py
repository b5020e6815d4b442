"""Backbones: the size of the map at every stride, and the same activations where both networks have one."""

from __future__ import annotations

import pytest
import torch

from wsstool.errors import UsageError
from wsstool.models.backbones import BACKBONES, build_backbone, default_output_stride

LIGHT = (
    "mobilenet-v2",
    "mobilenet-v3-small",
    "resnet-18",
    "efficientnet-b0",
    "convnext-tiny",
    "regnet-y-400mf",
)


@pytest.mark.parametrize("stride", [32, 16, 8, 4])
@pytest.mark.parametrize("arch", LIGHT)
def test_map_size_is_image_size_over_stride(arch: str, stride: int) -> None:
    backbone = build_backbone(arch, output_stride=stride)
    assert backbone.stride == stride
    maps = backbone.to("meta").eval()(torch.empty(1, 3, 96, 128, device="meta"))
    assert maps.shape == (1, backbone.out_channels, 96 // stride, 128 // stride)


@pytest.mark.parametrize("arch", ["mobilenet-v2", "resnet-18"])
@pytest.mark.parametrize("stride", [16, 8])
def test_dilated_network_holds_the_plain_one(arch: str, stride: int) -> None:
    torch.manual_seed(0)
    plain = build_backbone(arch).eval()
    dense = build_backbone(arch, output_stride=stride).eval()
    dense.load_state_dict(plain.state_dict())
    x = torch.randn(1, 3, 96, 96)
    with torch.no_grad():
        step = 32 // stride
        torch.testing.assert_close(dense(x)[..., ::step, ::step], plain(x), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_even_pooling_holds_the_plain_one() -> None:
    torch.manual_seed(0)
    plain = build_backbone("vgg-11").eval()
    dense = build_backbone("vgg-11", output_stride=16).eval()
    dense.load_state_dict(plain.state_dict())
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(dense(x)[..., ::2, ::2], plain(x), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("arch", LIGHT)
def test_stages_are_names_of_layers(arch: str) -> None:
    backbone = build_backbone(arch, output_stride=16)
    for stage in backbone.stages:
        backbone.get_submodule(stage.name)
    assert backbone.stage_at(4).stride == 4
    assert backbone.stages[-1].name == backbone.last_stage
    with pytest.raises(UsageError, match="stride 32"):
        backbone.stage_at(32)


def test_tiny_is_tiny() -> None:
    backbone = build_backbone("tiny")
    assert sum(p.numel() for p in backbone.parameters()) < 350_000
    assert backbone(torch.zeros(1, 3, 96, 100)).shape == (1, backbone.out_channels, 12, 13)
    assert default_output_stride("tiny") == 8 and default_output_stride("resnet-18") == 16


@pytest.mark.parametrize("arch, stride", [("tiny", 32), ("tiny", 16), ("resnet-18", 64), ("resnet-18", 5)])
def test_impossible_strides(arch: str, stride: int) -> None:
    with pytest.raises(UsageError, match="possible are"):
        build_backbone(arch, output_stride=stride)


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(UsageError, match="mobilenet-v2"):
        build_backbone("resnet50")


def test_nothing_works_in_place() -> None:
    assert not any(getattr(m, "inplace", False) for m in build_backbone("mobilenet-v2").modules())


@pytest.mark.slow
@pytest.mark.parametrize("arch", list(BACKBONES))
def test_every_backbone_builds_and_learns(arch: str) -> None:
    backbone = build_backbone(arch)
    backbone(torch.randn(2, 3, 64, 64)).mean().backward()
    assert all(p.grad is not None for p in backbone.parameters())
