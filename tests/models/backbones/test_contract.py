"""The protocol of backbones, over every name of the registry."""

from __future__ import annotations

import hashlib

import pytest
import torch

from wsstool.models.backbones import (
    BACKBONES,
    build_backbone,
    default_output_stride,
    input_statistics,
    plain_shapes,
)

NAMES = {
    "tiny": "976e90cb578282ed",
    "resnet38d": "332cddb2f46fcc2f",
    "fan-micro": "22d29046dcd93a6c",
    "fan-tiny": "78762b7820a34809",
    "fan-small": "2e22bc5bee8706e2",
    "fan-base": "58f2c06120521142",
    "fan-large": "4f6fa40e71b3e84d",
    "mobilenet-v2": "1e8410bd8e4f5064",
    "mobilenet-v3-small": "8cd7bce65327a218",
    "mobilenet-v3-large": "2645006998736e1f",
    "resnet-18": "8ff7f80edd735422",
    "resnet-34": "14a8c5e5144a53f3",
    "resnet-50": "02981cd6b4321d66",
    "resnet-101": "607c3adc594fcdba",
    "resnet-152": "7cdccb24fd311622",
    "resnext-50": "74e97905c7bdbf2e",
    "wide-resnet-50": "203ef696d8c0ba02",
    "vgg-11": "352429cbb0d4bcd4",
    "vgg-16": "409c3447f524c030",
    "vgg-16-bn": "fa0b27543d60f16b",
    "vgg-19": "d9a08d51477ef1d6",
    "efficientnet-b0": "23a45fcae2cc51ed",
    "efficientnet-b1": "65c1ebdd8a1ef873",
    "efficientnet-b2": "134668d9cd7dbbd7",
    "efficientnet-b3": "0c2283b1cbf25a1e",
    "efficientnet-v2-s": "16ad23fee3ed54dd",
    "convnext-tiny": "4297defd7cde0f79",
    "convnext-small": "44fd2fcb5d42b7e8",
    "convnext-base": "5a66425f897bd33f",
    "regnet-y-400mf": "fcfbed041a000e0a",
    "regnet-y-1.6gf": "5e30c0c51ed8cbaa",
    "regnet-x-1.6gf": "3a7b03aab79f0179",
}
"""Digest of the names and shapes of each state dict: published files and old weights rely on them."""

CHEAP = {"tiny", "fan-micro", "mobilenet-v2", "resnet-18", "regnet-y-400mf", "efficientnet-lite0"}
ALL = [name for name in BACKBONES if name != "timm"]
FINAL = [name if name in CHEAP else pytest.param(name, marks=pytest.mark.slow) for name in ALL]


@pytest.mark.parametrize("arch", NAMES)
def test_state_dict_keeps_its_names(arch: str) -> None:
    lines = "\n".join(f"{name} {list(shape)}" for name, shape in plain_shapes(arch).items())
    assert hashlib.blake2b(lines.encode(), digest_size=8).hexdigest() == NAMES[arch]


@pytest.mark.parametrize("arch", FINAL)
def test_features_of_named_parts_in_one_pass(arch: str) -> None:
    stride = default_output_stride(arch)
    backbone = build_backbone(arch, output_stride=stride).eval()
    wanted = [backbone.stages[len(backbone.stages) // 2], backbone.stages[-1]]
    x = torch.zeros(1, 3, 64, 96)
    found = backbone.features_of(x, [stage.name for stage in wanted])
    for stage, maps in zip(wanted, found, strict=True):
        assert maps.shape == (1, stage.channels, 64 // stage.stride, 96 // stage.stride)
        backbone.get_submodule(stage.name)
    assert backbone(x).shape == (1, backbone.out_channels, 64 // stride, 96 // stride)
    assert (backbone.arch, backbone.stride, backbone.input_multiple) == (arch, stride, 1)


@pytest.mark.parametrize("arch", FINAL)
def test_without_expansion_the_stride_stays(arch: str) -> None:
    backbone = build_backbone(arch).eval()
    widest = backbone.out_channels
    expansion = backbone.expansion
    assert backbone.without_expansion() is backbone and not backbone.expansion
    maps = backbone(torch.zeros(1, 3, 64, 64))
    assert maps.shape == (1, backbone.out_channels, 64 // backbone.stride, 64 // backbone.stride)
    assert (backbone.out_channels < widest) == bool(expansion)


def test_which_backbones_have_statistics_of_their_own() -> None:
    own = {arch for arch in ALL if input_statistics(arch)}
    assert own == {"efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"}
