"""Regions of TIFF files are the regions of ``read_image``, whatever the layout, samples and orientation."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from wsstool.data.images import read_image
from wsstool.data.pictures.picture import WholePicture, open_picture, picture_size
from wsstool.data.pictures.tiff import TiffPicture
from wsstool.errors import BadInputError, MissingInputError

RNG = np.random.default_rng(0)
SHAPE = (70, 93)
TILE = {"tile": (32, 48)}
COLOUR = RNG.integers(0, 256, (*SHAPE, 3), np.uint8)
GREY = RNG.integers(0, 256, SHAPE, np.uint8)

FORMS = {
    "tiles": (COLOUR, {"photometric": "rgb", **TILE}),
    "tiles, deflate": (COLOUR, {"photometric": "rgb", "compression": "zlib", "predictor": True, **TILE}),
    "strips": (COLOUR, {"photometric": "rgb", "rowsperstrip": 7}),
    "strips, deflate": (COLOUR, {"photometric": "rgb", "rowsperstrip": 7, "compression": "zlib"}),
    "one strip": (COLOUR, {"photometric": "rgb", "rowsperstrip": 70}),
    "one strip, big-endian": (COLOUR.astype(np.uint16) * 257, {"photometric": "rgb", "byteorder": ">"}),
    "planes": (np.moveaxis(COLOUR, 2, 0), {"photometric": "rgb", "planarconfig": "separate", **TILE}),
    "planes, strips": (np.moveaxis(COLOUR, 2, 0), {"photometric": "rgb", "planarconfig": "separate"}),
    "grey": (GREY, {"photometric": "minisblack", **TILE}),
    "negative": (GREY, {"photometric": "miniswhite", **TILE}),
    "16 bits": (COLOUR.astype(np.uint16) * 250, {"photometric": "rgb", **TILE}),
    "16 bits, grey": (GREY.astype(np.uint16) * 250, {"photometric": "minisblack", **TILE}),
    "floats to 1": ((COLOUR / 255).astype(np.float32), {"photometric": "rgb", **TILE}),
    "floats to 255": (COLOUR.astype(np.float32), {"photometric": "rgb", **TILE}),
    "four bands": (
        RNG.integers(0, 65536, (*SHAPE, 4), np.uint16),
        {"photometric": "rgb", "extrasamples": ["unspecified"], **TILE},
    ),
}


def write(path: Path, pixels: np.ndarray, options: dict, orientation: int = 1) -> Path:
    tags = [(274, 3, 1, orientation, True)] if orientation > 1 else []
    options = dict(options)
    byteorder = options.pop("byteorder", None)
    with tifffile.TiffWriter(path, byteorder=byteorder) as file:
        file.write(pixels, extratags=tags, metadata=None, **options)
    return path


def check_regions(path: Path) -> None:
    whole = read_image(path)
    picture = open_picture(path)
    assert isinstance(picture, TiffPicture)
    assert picture.size == whole.shape[:2] == picture_size(path)
    rows, columns = picture.size
    for top, left, height, width in (
        (0, 0, rows, columns),
        (0, 0, 1, 1),
        (rows - 1, columns - 1, 1, 1),
        (31, 47, 2, 2),
        (5, 9, 40, 60),
    ):
        part = picture.region(top, left, height, width)
        assert part.dtype == np.uint8
        np.testing.assert_array_equal(part, whole[top : top + height, left : left + width])
    picture.close()


@pytest.mark.parametrize("form", FORMS)
def test_regions_are_those_of_the_whole(tmp_path, form):
    check_regions(write(tmp_path / "a.tif", *FORMS[form]))


@pytest.mark.parametrize("orientation", range(2, 9))
def test_regions_are_upright(tmp_path, orientation):
    check_regions(write(tmp_path / "a.tif", *FORMS["tiles"], orientation=orientation))


@pytest.mark.parametrize("mode", ["RGBA", "P", "CMYK", "1"])
def test_other_colours_are_read_whole(tmp_path, mode):
    Image.fromarray(COLOUR).convert(mode).save(tmp_path / "a.tif")
    whole, picture = read_image(tmp_path / "a.tif"), open_picture(tmp_path / "a.tif")
    np.testing.assert_array_equal(picture.region(3, 4, 20, 30), whole[3:23, 4:34])
    assert picture.size == whole.shape[:2]


def test_a_photograph_is_read_whole(tmp_path):
    Image.fromarray(COLOUR).save(tmp_path / "a.png")
    picture = open_picture(tmp_path / "a.png")
    assert isinstance(picture, WholePicture)
    np.testing.assert_array_equal(picture.region(60, 80, 10, 13), COLOUR[60:70, 80:93])


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_jpeg_without_another_package(tmp_path, mode):
    path = tmp_path / "a.tif"
    Image.fromarray(COLOUR).resize((300, 200)).convert(mode).save(path, compression="jpeg")
    check_regions(path)


@pytest.mark.data
def test_jpeg_tiles_of_a_slide_have_the_colours_that_another_reader_sees(shared):
    """Tables apart from the tiles, and red, green and blue that are not mixed."""
    path = shared / "data" / "slides" / "cmu_small_region.svs"
    picture = TiffPicture(path)
    assert picture.size == (2967, 2220)
    with Image.open(path) as image:
        whole = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(picture.region(1000, 900, 500, 700), whole[1000:1500, 900:1600])


@pytest.mark.data
def test_levels_of_a_pyramid(shared):
    path = shared / "data" / "slides" / "cmu_small_pyramid_deflate.tif"
    assert [TiffPicture(path, level).size for level in range(4)] == [
        (1484, 1110),
        (742, 555),
        (371, 277),
        (185, 138),
    ]
    small, large = (
        TiffPicture(path, 1).region(100, 50, 200, 300),
        TiffPicture(path).region(200, 100, 400, 600),
    )
    assert np.abs(small.astype(int) - large[::2, ::2]).mean() < 12
    with pytest.raises(BadInputError, match="has no level 4, but levels 0 to 3"):
        TiffPicture(path, 4)


def test_many_threads_read_at_once(tmp_path):
    path = write(tmp_path / "a.tif", *FORMS["tiles, deflate"])
    picture, whole = open_picture(path), read_image(path)
    places = [(int(y), int(x)) for y, x in RNG.integers(0, 50, (200, 2))]
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda at: picture.region(*at, 20, 30), places))
    for (y, x), part in zip(places, parts, strict=True):
        np.testing.assert_array_equal(part, whole[y : y + 20, x : x + 30])


def test_more_pixels_than_are_decoded_at_once(tmp_path):
    path = tmp_path / "a.tif"
    side = 14_336
    with tifffile.TiffWriter(path) as file:
        tiles = (np.full((512, 512, 3), i % 251, np.uint8) for i in range(28 * 28))
        file.write(
            tiles,
            shape=(side, side, 3),
            dtype=np.uint8,
            tile=(512, 512),
            photometric="rgb",
            compression="zlib",
        )
    assert picture_size(path) == (side, side)
    part = open_picture(path).region(side - 10, side - 10, 10, 10)
    assert (part == 783 % 251).all()
    with pytest.raises(BadInputError, match="more than 178,956,970 pixels"):
        read_image(path)


@pytest.mark.parametrize("form", ["tiles, deflate", "tiles", "strips", "one strip"])
@pytest.mark.parametrize("keep", [0, 4, 60, 0.5, 0.97])
def test_a_truncated_file_is_one_sentence(tmp_path, form, keep):
    path = write(tmp_path / "a.tif", RNG.integers(0, 256, (300, 200, 3), np.uint8), FORMS[form][1])
    length = os.path.getsize(path)
    os.truncate(path, keep if keep >= 1 or keep == 0 else int(length * keep))
    with pytest.raises(BadInputError, match=r"a\.tif"):
        open_picture(path).region(0, 0, 300, 200)


def test_flipped_bytes_are_an_error_or_pixels(tmp_path):
    path = write(tmp_path / "a.tif", *FORMS["tiles, deflate"])
    content = path.read_bytes()
    for place in RNG.integers(0, len(content), 150):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            picture = open_picture(path)
            rows, columns = picture.size
            picture.region(0, 0, min(rows, 70), min(columns, 93))
        except BadInputError as error:
            assert "\n" not in str(error)


def test_no_file_and_no_picture(tmp_path):
    with pytest.raises(MissingInputError):
        open_picture(tmp_path / "a.tif")
    (tmp_path / "b.tif").write_text("no picture")
    with pytest.raises(BadInputError, match=r"b\.tif"):
        open_picture(tmp_path / "b.tif")
    with pytest.raises(BadInputError, match=r"b\.tif"):
        picture_size(tmp_path / "b.tif")


def test_a_mask_of_more_pixels_than_are_decoded_at_once(tmp_path, monkeypatch):
    from wsstool.data import images, mask_pixels, masks

    mask = RNG.integers(0, 3, (300, 500), np.uint8)
    tifffile.imwrite(tmp_path / "m.tif", mask, tile=(64, 64), compression="zlib", photometric="miniswhite")
    for module in (images, mask_pixels):
        monkeypatch.setattr(module, "MAX_PIXELS", 100_000)
    np.testing.assert_array_equal(masks.read_mask(tmp_path / "m.tif"), mask)
    tifffile.imwrite(tmp_path / "c.tif", np.zeros((300, 500, 3), np.uint8), tile=(64, 64), photometric="rgb")
    with pytest.raises(BadInputError, match="only of grey masks"):
        masks.read_mask(tmp_path / "c.tif")
