"""``info`` of a slide."""

from __future__ import annotations

import pytest
from PIL import Image

from tests.data.pictures.pyramids import scene, write_pyramid
from wsstool.errors import BadInputError, MissingInputError
from wsstool.stages.streams.info import info


def test_levels_sizes_and_microns(tmp_path):
    write_pyramid(tmp_path / "a.tif", scene(), 2)
    assert info(tmp_path / "a.tif") == {
        "slide": str(tmp_path / "a.tif"),
        "format": "tiff",
        "columns": 410,
        "rows": 300,
        "mpp": 0.5,
        "levels": [
            {"level": 0, "columns": 410, "rows": 300, "downsample": 1, "mpp": 0.5},
            {"level": 1, "columns": 205, "rows": 150, "downsample": 2, "mpp": 1.0},
        ],
    }


def test_a_tiff_of_one_resolution_is_an_image(tmp_path):
    Image.fromarray(scene()).save(tmp_path / "a.tif")
    assert info(tmp_path / "a.tif")["images"] == 1


def test_a_broken_slide_and_none(tmp_path):
    (tmp_path / "a.svs").write_bytes(b"II*\0")
    with pytest.raises(BadInputError, match=r"a\.svs"):
        info(tmp_path / "a.svs")
    with pytest.raises(MissingInputError):
        info(tmp_path / "b.svs")


@pytest.mark.data
def test_a_slide_of_aperio(shared):
    found = info(shared / "data" / "slides" / "cmu_small_region.svs")
    assert (found["format"], found["columns"], found["rows"], found["mpp"]) == ("svs", 2220, 2967, 0.499)
