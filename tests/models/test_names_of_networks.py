"""A mistyped backbone, and initial weights of another one: what was probably meant."""

from pathlib import Path

import pytest
import torch

from wsstool.errors import BadInputError, UsageError
from wsstool.models.backbones import build_backbone
from wsstool.models.classifier import build_classifier
from wsstool.models.initial_weights import load_start
from wsstool.registries.segmenters import split_arch


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("resnet18", "resnet-18"), ("ResNet_50", "resnet-50"), ("mobilenet_v2", "mobilenet-v2"), ("vgg", None)],
)
def test_spellings(typed: str, meant: str | None) -> None:
    with pytest.raises(UsageError, match=f"no backbone '{typed}'") as caught:
        build_backbone(typed)
    assert (f"did you mean '{meant}'?" in str(caught.value)) is (meant is not None)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("timm:vit_small_patch16_224", "linear-timm:vit_small_patch16_224"),
        ("resnet50", "linear-resnet-50"),
        ("linaer-timm:Some_Name.tag", "linear-timm:Some_Name.tag"),
        ("DeepLabV3Plus-MobileNetV2", "deeplabv3plus-mobilenet-v2"),
        ("fcn8s_vgg16", "fcn8s-vgg-16"),
        ("unet-tiny", None),
        ("", None),
    ],
)
def test_segmenters(typed: str, meant: str | None) -> None:
    with pytest.raises(UsageError, match=f"no segmenter '{typed}'; ") as caught:
        split_arch(typed)
    assert (f"did you mean '{meant}'? give HEAD-BACKBONE" in str(caught.value)) is (meant is not None)


@pytest.mark.parametrize("wrapped", [False, True])
def test_weights_of_another_backbone(tmp_path: Path, wrapped: bool) -> None:
    from torchvision.models import resnet18

    state = resnet18(weights=None).state_dict()
    if wrapped:
        state = {"state_dict": {f"module.{name}": value for name, value in state.items()}}
    torch.save(state, tmp_path / "rn18.pth")
    with pytest.raises(BadInputError, match=r"rn18\.pth holds the weights of resnet-18, not of tiny"):
        load_start(build_classifier("tiny", 2), tmp_path / "rn18.pth")


def test_weights_of_no_network_name_what_is_missing(tmp_path: Path) -> None:
    torch.save({"x": torch.zeros(2)}, tmp_path / "x.pth")
    with pytest.raises(BadInputError, match="does not fit"):
        load_start(build_classifier("tiny", 2), tmp_path / "x.pth")
