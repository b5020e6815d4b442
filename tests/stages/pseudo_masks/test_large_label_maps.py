"""Label maps in windows are those of whole images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.messages import Heard
from tests.stages.pseudo_masks.test_cam_layers import write_classifier
from tests.stages.pseudo_masks.test_cam_windows import data  # noqa: F401
from wsstool import store
from wsstool.stages.pseudo_masks.cam import cam
from wsstool.stages.pseudo_masks.pseudo_mask import pseudo_mask


@pytest.fixture(scope="module")
def maps(data, tmp_path_factory) -> Path:  # noqa: F811
    """Class maps of two layers."""
    folder = tmp_path_factory.mktemp("maps")
    weights = write_classifier(folder / "tiny.pth")
    how = {"method": "gradcam", "layer": ["features.3", "features.5"], "targets": "all"}
    cam(data, weights=weights, output=folder / "cam.h5", **how)
    return folder / "cam.h5"


def masks(path: Path) -> list[np.ndarray]:
    with store.open_records(path) as reader:
        return [record.data.copy() for record in reader.records()]


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"normalise": "class", "background_threshold_low": 0.1},
        {"normalise": "minmax"},
        {"rule": "multilayer"},
        {"ignore_below": 0.2, "ignore_margin": 0.05},
        {"background": "white", "settings": ["white_smallest=1"]},
    ],
)
def test_every_pixel_as_in_the_whole(tmp_path, maps, how):
    pseudo_mask(str(maps), output=tmp_path / "whole.h5", **how)
    said = Heard()
    pseudo_mask(str(maps), output=tmp_path / "parts.h5", window=100, messages=said, **how)
    whole, found = masks(tmp_path / "whole.h5"), masks(tmp_path / "parts.h5")
    for one, other in zip(found, whole, strict=True):
        np.testing.assert_array_equal(one, other)
    assert "peak memory" in said.text


def test_refined_within_a_tolerance(tmp_path, maps):
    how = {"refine": ["pamr"], "settings": ["steps=3"]}
    pseudo_mask(str(maps), output=tmp_path / "whole.h5", **how)
    pseudo_mask(str(maps), output=tmp_path / "parts.h5", window=208, **how)
    whole, found = masks(tmp_path / "whole.h5"), masks(tmp_path / "parts.h5")
    assert (found[0] != whole[0]).mean() < 0.005
    assert len(np.unique(whole[0])) > 2
