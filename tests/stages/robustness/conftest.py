"""A toy set with a classifier and a segmenter that have learned it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.stages.toy import QUICK, write_rectangles, write_splits
from wsstool.stages.train.cotrain import cotrain
from wsstool.stages.train.train_classifier import train_cls

CLASSIFIER: dict[str, Any] = {
    "arch": "tiny",
    "image_size": 32,
    "epochs": 12,
    "batch_size": 4,
    "lr": 1e-2,
    "workers": 0,
    "device": "cpu",
}


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 images of two sizes with one coloured rectangle each, with tags and true masks."""
    root = write_rectangles(tmp_path_factory.mktemp("robust"), 16)
    (root / "classes.txt").write_text("0 background\n1 cat\n2 dog\n")
    write_splits(root, train=range(10), val=range(10, 16))
    return root


@pytest.fixture(scope="session")
def classifier(data: Path) -> Path:
    """A classifier of images with one tag each."""
    train_cls(data, output=data / "cls.pth", split="train", **CLASSIFIER)
    return data / "cls.pth"


@pytest.fixture(scope="session")
def tagger(data: Path) -> Path:
    """A classifier of images with any number of tags."""
    train_cls(data, output=data / "tags.pth", split="train", loss="soft-margin", **CLASSIFIER)
    return data / "tags.pth"


@pytest.fixture(scope="session")
def segmenter(data: Path) -> Path:
    """A segmenter that has seen the true masks."""
    own = {"arch": "fcn-tiny", "epochs": 6, "batch_size": 4, "lr": 3e-3}
    cotrain(str(data), output=data / "seg.pth", split="train", **{**QUICK, **own})
    return data / "seg.pth"
