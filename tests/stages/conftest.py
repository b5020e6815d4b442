"""Fixtures of the stages' tests."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.stages.detection_files import ROWS, TRUTH
from tests.stages.selections import NAMES, SIZES, write_selection


@pytest.fixture
def selection(tmp_path) -> Path:
    """A selection file of small, hard masks."""
    return write_selection(tmp_path / "selection.h5")


@pytest.fixture
def pictures(tmp_path) -> Path:
    """The data folder with the pictures of ``selection``."""
    for name, (rows, columns) in zip(NAMES, SIZES, strict=True):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (columns, rows)).save(path)
    return tmp_path / "data"


@pytest.fixture
def results(tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(ROWS))
    return path


@pytest.fixture
def truth(tmp_path):
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(TRUTH))
    return path
