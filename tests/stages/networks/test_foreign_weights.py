"""Weights that say nothing of themselves: what is said where a trained network is needed."""

from pathlib import Path

import pytest
import torch

from tests.stages.tissue import write_tree
from wsstool.errors import BadInputError
from wsstool.models.classifier import build_classifier
from wsstool.stages.predict.predict import predict
from wsstool.stages.pseudo_masks.cam import cam


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_tree(tmp_path_factory.mktemp("patches") / "luad", [(1, 0, 0, 1)])
    torch.save(build_classifier("tiny", 4).state_dict(), root / "bare.pth")
    torch.save({"a.weight": torch.zeros(1)}, root / "strange.pth")
    return root


@pytest.mark.parametrize(
    ("stage", "says"),
    [
        (cam, "'wsstool train-cls DATA --arch tiny --init {}' makes a classifier from it"),
        (predict, "'wsstool cotrain MASKS --arch deeplabv3plus-tiny --init {}' makes a segmenter from it"),
    ],
)
def test_the_way_on_is_named(data: Path, tmp_path: Path, stage, says: str) -> None:
    weights = data / "bare.pth"
    with pytest.raises(BadInputError, match=r"is a bare state dict.* fits the backbone tiny; ") as error:
        stage(data, weights=weights, split="train", output=tmp_path / "x.h5")
    assert str(error.value).endswith(says.format(weights))


def test_what_fits_nothing(data: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="fits no known backbone; 'wsstool train-cls' makes a"):
        cam(data, weights=data / "strange.pth", split="train", output=tmp_path / "x.h5")
