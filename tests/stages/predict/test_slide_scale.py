"""``--level`` and ``--mpp``: label maps of the level that is asked for, by window or whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.messages import Heard
from tests.stages.predict.test_windows import masks, weights  # noqa: F401
from wsstool import store
from wsstool.errors import SomeFailedError, UsageError
from wsstool.stages.predict.predict import predict
from wsstool.stages.pseudo_masks.pseudo_mask import pseudo_mask

RNG = np.random.default_rng(0)


@pytest.fixture
def data(tmp_path) -> Path:
    """A pyramid of two levels, and its smaller level as a picture of its own in another folder."""
    pixels = np.kron(RNG.integers(0, 256, (76, 104, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    how = {"tile": (64, 64), "photometric": "rgb", "compression": "zlib", "metadata": None}
    (tmp_path / "data").mkdir()
    with tifffile.TiffWriter(tmp_path / "data" / "a.tif") as file:
        file.write(pixels, subifds=1, resolution=(2e4, 2e4), resolutionunit="CENTIMETER", **how)
        file.write(pixels[::2, ::2], subfiletype=1, **how)
    (tmp_path / "small").mkdir()
    tifffile.imwrite(tmp_path / "small" / "a.tif", pixels[::2, ::2], photometric="rgb")
    return tmp_path / "data"


@pytest.mark.parametrize("scale", [{"level": 1}, {"mpp": 1.0}])
@pytest.mark.parametrize("how", [{}, {"window": 96, "overlap": 32}])
def test_a_level_is_the_picture_of_that_size(tmp_path, data, weights, scale, how):  # noqa: F811
    predict(data, weights=weights, output=tmp_path / "level.h5", **scale, **how)
    predict(tmp_path / "small", weights=weights, output=tmp_path / "small.h5", **how)
    found, wanted = masks(tmp_path / "level.h5"), masks(tmp_path / "small.h5")
    np.testing.assert_array_equal(found["a.tif"], wanted["a.tif"])
    assert found["a.tif"].shape == (1, 152, 208)


@pytest.mark.parametrize("how", [{}, {"window": 96}])
def test_later_stages_read_the_same_level(tmp_path, data, weights, how):  # noqa: F811
    predict(data, weights=weights, level=1, probabilities=True, output=tmp_path / "p.h5")
    pseudo_mask(str(tmp_path / "p.h5"), refine=["pamr"], output=tmp_path / "m.h5", **how)
    assert masks(tmp_path / "m.h5")["a.tif"].shape == (1, 152, 208)


@pytest.mark.parametrize(
    ("scale", "why"),
    [
        ({"level": 2}, "has no level 2; it has levels 0"),
        ({"mpp": 0.1}, "has 0.5 microns per pixel; 0.1 would be finer"),
    ],
)
def test_what_is_not_there_fails_with_a_sentence(tmp_path, data, weights, scale, why):  # noqa: F811
    said = Heard()
    with pytest.raises(SomeFailedError):
        predict(data, weights=weights, output=tmp_path / "m.h5", messages=said, **scale)
    assert why in said.text


def test_one_of_the_two(tmp_path, data, weights):  # noqa: F811
    with pytest.raises(UsageError, match="--level and --mpp both choose the scale"):
        predict(data, weights=weights, level=0, mpp=1.0)
    keys = {
        predict(data, weights=weights, output=tmp_path / "m.h5", **one)["key"] for one in ({}, {"level": 1})
    }
    assert len(keys) == 2
    with store.open_records(tmp_path / "m.h5", header_only=True) as reader:
        assert reader.header.params["level"] == 1
