"""``cam --layer``: whatever cannot be read from is refused before there is an output."""

import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.stages.tissue import write_tree
from wsstool import store
from wsstool.cli.app import app
from wsstool.errors import UsageError
from wsstool.models.classifier import NORMALIZATIONS, build_classifier
from wsstool.models.weights import save_weights
from wsstool.stages.pseudo_masks.cam import cam

TAGS = [(1, 0, 0, 1), (0, 1, 0, 0)]


def write_classifier(path: Path, arch: str = "tiny") -> Path:
    mean, std = NORMALIZATIONS["none"]
    meta = {
        "arch": arch,
        "task": "classification",
        "classes": ["TE", "NEC", "LYM", "TAS", "background"],
        "class_ids": [0, 1, 2, 3],
        "background": 4,
        "mean": mean,
        "std": std,
    }
    save_weights(path, build_classifier(arch, 4).state_dict(), meta)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_tree(tmp_path_factory.mktemp("patches") / "luad", TAGS)
    write_classifier(root / "tiny.pth")
    write_classifier(root / "mobile.pth", "mobilenet-v3-small")
    write_classifier(root / "convnext.pth", "convnext-tiny")
    return root


@pytest.mark.parametrize(
    ("weights", "options", "says"),
    [
        ("tiny", {"layer": ["bn7"]}, "no layer 'bn7' .*: features.0 to features.5"),
        ("tiny", {"layer": ["bn7"], "scale": [1.0, 0.5]}, "no layer 'bn7'"),
        ("tiny", {"layer": ["bn7"], "map_stride": 4}, "no layer 'bn7'"),
        ("tiny", {"layer": ["head"]}, "'head' comes after the last feature map"),
        ("tiny", {"layer": ["features.5", "features.5"]}, "are the same layer"),
        ("tiny", {"layer": [""]}, "no such layer"),
        (
            "tiny",
            {"method": "cam", "layer": ["features.3"]},
            "not on features.3; use gradcam for other layers",
        ),
        ("tiny", {"method": "scorecam", "settings": ["top_channels=-1"]}, "top_channels must be >= 0"),
        (
            "mobile",
            {"layer": ["features.4.block.2.fc1"]},
            "'features.4.block.2.fc1' has no spatial map",
        ),
        ("convnext", {"layer": ["features.1.0.block.3"]}, "'features.1.0.block.3' has no spatial map"),
    ],
)
def test_refused_layers_leave_nothing_behind(
    data: Path, tmp_path: Path, weights: str, options: dict, says: str
) -> None:
    options = {"method": "gradcam", **options}
    with pytest.raises(UsageError, match=says):
        cam(data, weights=data / f"{weights}.pth", output=tmp_path / "c.h5", split="train", **options)
    assert os.listdir(tmp_path) == []


def test_on_the_command_line(data: Path, tmp_path: Path) -> None:
    line = ["cam", "--quiet", str(data), "--split", "train", "--weights", str(data / "tiny.pth")]
    done = CliRunner().invoke(app, [*line, "-o", str(tmp_path / "c.h5"), "--layer", "backbone.feature.3"])
    assert done.exit_code == 2 and len(done.stderr.splitlines()) == 1
    assert "similar: backbone.features.3," in done.stderr
    assert os.listdir(tmp_path) == []


def test_strides_are_those_of_the_layers(data: Path, tmp_path: Path) -> None:
    layers = ["features.0", "features.1", "backbone"]
    cam(
        data,
        weights=data / "tiny.pth",
        output=tmp_path / "c.h5",
        split="train",
        method="gradcam",
        layer=layers,
    )
    with store.open_records(tmp_path / "c.h5", kinds=("cam",)) as reader:
        assert np.array_equal(reader.header.columns["layer_size"][0], [[8, 8], [4, 4], [2, 2]])
