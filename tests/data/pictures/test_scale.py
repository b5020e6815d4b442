"""Images and slides at a scale: levels, microns per pixel, slides by name, and what is not there."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from wsstool.data.images import read_image
from wsstool.data.pictures.scale import Scale, open_at, size_at
from wsstool.errors import BadInputError, MissingInputError

RNG = np.random.default_rng(0)


@pytest.fixture
def pyramid(tmp_path) -> Path:
    """Two levels, half a micron a pixel in the finer."""
    pixels = np.kron(RNG.integers(0, 256, (30, 40, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    how = {"tile": (32, 32), "photometric": "rgb", "compression": "zlib", "metadata": None}
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(pixels, subifds=1, resolution=(2e4, 2e4), resolutionunit="CENTIMETER", **how)
        file.write(pixels[::2, ::2], subfiletype=1, **how)
    return tmp_path / "a.tif"


@pytest.mark.parametrize("at", [Scale(level=1), Scale(mpp=1.0)])
def test_a_level_by_number_and_by_microns(pyramid, at):
    whole = read_image(pyramid)
    assert size_at(pyramid, at) == (60, 80) and size_at(pyramid, None) == (120, 160)
    picture = open_at(pyramid, at)
    np.testing.assert_array_equal(picture.region(3, 5, 20, 30), whole[6:46:2, 10:70:2])
    picture.close()
    assert size_at(pyramid, Scale(mpp=2.0)) == (30, 40)


@pytest.mark.parametrize(
    ("at", "why"),
    [
        (Scale(level=2), "has no level 2; it has levels 0"),
        (Scale(mpp=0.2), "has 0.5 microns per pixel; 0.2 would be finer"),
    ],
)
def test_scales_that_are_not_there(pyramid, at, why):
    with pytest.raises(BadInputError, match=why):
        open_at(pyramid, at)


def test_a_photograph_has_one_level_and_no_microns(tmp_path):
    Image.new("RGB", (9, 7)).save(tmp_path / "a.png")
    assert size_at(tmp_path / "a.png", Scale()) == (7, 9)
    with pytest.raises(BadInputError, match="only level 0"):
        open_at(tmp_path / "a.png", Scale(level=1))
    with pytest.raises(BadInputError, match="does not state its microns"):
        open_at(tmp_path / "a.png", Scale(mpp=1))


def test_slides_need_no_scale(pyramid):
    slide = pyramid.with_suffix(".svs")
    slide.write_bytes(pyramid.read_bytes())
    np.testing.assert_array_equal(open_at(slide, None).region(9, 8, 7, 6), read_image(pyramid)[9:16, 8:14])


@pytest.mark.parametrize("name", ["a.svs", "a.ndpi", "a.mrxs", "a.scn", "a.bif"])
@pytest.mark.parametrize("content", [b"", b"no slide", b"II*\0\x08" + bytes(9), b"II*\0\xff\xff\xff\xff"])
def test_broken_slides_are_one_sentence(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises((BadInputError, MissingInputError), match=name) as caught:
        open_at(tmp_path / name, None)
    assert "\n" not in str(caught.value)


def test_without_openslide(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openslide", None)
    (tmp_path / "a.ndpi").write_bytes(b"II*\0")
    with pytest.raises(MissingInputError, match=r"pip install 'wsstool\[wsi\]'"):
        open_at(tmp_path / "a.ndpi", None)
