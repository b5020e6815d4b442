"""Slides: their levels, microns and pixels, and the sentence about those that cannot be opened."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.data.pictures.pyramids import SIZE, scene, write_pyramid
from wsstool.data.pictures import openslide_slide
from wsstool.data.pictures.opening import open_slide
from wsstool.data.pictures.resolution import Reduced, at_level, at_mpp
from wsstool.data.pictures.slide import SingleSlide, levels_of
from wsstool.data.pictures.tiff_slide import TiffSlide
from wsstool.errors import BadInputError, MissingInputError


@pytest.mark.parametrize("subifds", [True, False])
def test_levels_microns_and_pixels_of_a_pyramid(tmp_path, subifds):
    made = write_pyramid(tmp_path / "a.tif", scene(), subifds=subifds)
    slide = open_slide(tmp_path / "a.tif")
    assert [level.size for level in slide.levels] == [(300, 410), (150, 205), (75, 102)]
    assert [level.downsample for level in slide.levels] == [1, 2, 4]
    assert slide.mpp == pytest.approx(0.5)
    for number, pixels in enumerate(made):
        part = slide.level(number).region(10, 20, 50, 60)
        np.testing.assert_array_equal(part, pixels[10:60, 20:80])
    slide.close()


@pytest.mark.parametrize(
    "description, mpp",
    [
        ("Aperio Image Library v11\r\n300x410 (64x64)|AppMag = 20|MPP = 0.2520|Left = 25", 0.252),
        ("Aperio Image Library v11\r\n300x410 (64x64)|AppMag = 20", None),
        ("Aperio Image Library v11\r\n300x410|MPP = nonsense", None),
        ("Aperio Image Library v11\r\n300x410|MPP = -1", None),
    ],
)
def test_microns_of_aperio(tmp_path, description, mpp):
    write_pyramid(tmp_path / "a.svs", scene(), mpp=None, subifds=False, description=description)
    slide = open_slide(tmp_path / "a.svs")
    assert slide.format == "svs"
    assert slide.mpp == mpp


@pytest.mark.parametrize("unit, mpp", [("µm", 0.25), ("nm", 0.25e-3), ("furlong", None)])
def test_microns_of_ome(tmp_path, unit, mpp):
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as file:
        about = {"PhysicalSizeX": 0.25, "PhysicalSizeXUnit": unit, "PhysicalSizeY": 0.25}
        file.write(scene(), photometric="rgb", tile=(64, 64), metadata=about)
    assert open_slide(tmp_path / "a.ome.tif").mpp == mpp


def test_a_resolution_for_printing_says_nothing(tmp_path):
    Image.fromarray(scene()).save(tmp_path / "a.tif", dpi=(72, 72))
    assert open_slide(tmp_path / "a.tif").mpp is None


def test_an_image_has_one_level(tmp_path):
    Image.fromarray(scene()).save(tmp_path / "a.png")
    slide = open_slide(tmp_path / "a.png")
    assert isinstance(slide, SingleSlide) and slide.levels == ((SIZE, 1.0),) and slide.mpp is None
    np.testing.assert_array_equal(slide.level(0).region(3, 4, 5, 6), scene()[3:8, 4:10])


def test_a_slide_on_its_side_has_the_level_that_can_be_turned(tmp_path):
    write_pyramid(tmp_path / "a.tif", scene(), extratags=[(274, 3, 1, 6, True)])
    slide = open_slide(tmp_path / "a.tif")
    assert [level.size for level in slide.levels] == [(410, 300)]


def test_whole_factors_where_they_explain_both_sides():
    sizes = [(46000, 32914), (11500, 8228), (2875, 2057), (1437, 1028)]
    assert [level.downsample for level in levels_of(sizes)] == [1, 4, 16, 32]
    assert levels_of([(100, 100), (30, 30)])[1].downsample == pytest.approx(10 / 3)


def test_a_level_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    write_pyramid(tmp_path / "a.tif", scene())
    slide = open_slide(tmp_path / "a.tif")
    assert at_level(slide, 2, "a").downsample == 4
    with pytest.raises(BadInputError, match=r"no level 3; it has levels 0 \(410 x 300\), 1 \(205 x 150\), 2"):
        at_level(slide, 3, "a")


def test_microns_choose_a_level_or_reduce_the_finer_one(tmp_path):
    write_pyramid(tmp_path / "a.tif", scene())
    slide = open_slide(tmp_path / "a.tif")
    assert at_mpp(slide, 0.5, "a")[1:3] == (0, 1)
    assert at_mpp(slide, 1.01, "a")[1:3] == (1, 2)  # one per cent is no difference
    view = at_mpp(slide, 1.5, "a")
    assert view[1:3] == (1, pytest.approx(3)) and view.picture.size == (100, 136)
    assert at_mpp(slide, 8, "a").level == 2
    for mpp, why in ((0.25, "finer than it was scanned"), (1000, "no pixel left")):
        with pytest.raises(BadInputError, match=why):
            at_mpp(slide, mpp, "a")
    write_pyramid(tmp_path / "b.tif", scene(), mpp=None)
    with pytest.raises(BadInputError, match="does not state its microns"):
        at_mpp(open_slide(tmp_path / "b.tif"), 1, "b")


@pytest.mark.parametrize("factor", [1.5, 3.0, 7.3])
def test_reduced_regions_are_those_of_the_whole_reduced(tmp_path, monkeypatch, factor):
    """Whatever the region, and however few rows are read at a time."""
    noise = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    picture = open_slide(tmp_path / "a.png").level(0)
    reduced = Reduced(picture, factor)
    rows, columns = reduced.size
    whole = np.asarray(
        Image.fromarray(noise).resize(
            (columns, rows), Image.Resampling.BILINEAR, box=(0, 0, columns * factor, rows * factor)
        )
    ).astype(int)
    for budget in (16 << 20, 5000):
        monkeypatch.setattr("wsstool.data.pictures.resolution._SOURCE", budget)
        for top, left, height, width in (
            (0, 0, rows, columns),
            (7, 11, 20, 30),
            (rows - 9, columns - 8, 9, 8),
        ):
            part = reduced.region(top, left, height, width).astype(int)
            assert np.abs(part - whole[top : top + height, left : left + width]).max() <= 1


# Slides that cannot be opened


def broken(folder, kind):
    path = folder / "a.svs"
    write_pyramid(path, scene(), subifds=False, description="Aperio Image Library v11|MPP = 0.5")
    content = path.read_bytes()
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "wrong magic":
        path.write_bytes(b"PK\3\4" + content[4:])
    elif kind == "no page":
        path.write_bytes(content[:4] + b"\0\0\0\0" + content[8:])
    elif kind == "pages beyond the end":
        path.write_bytes(content[:4] + (10**8).to_bytes(4, "little") + content[8:])
    elif kind == "cut in the header":
        path.write_bytes(content[:6])
    elif kind == "cut in the pixels":
        with tifffile.TiffFile(path) as file:
            path.write_bytes(content[: max(file.pages.first.dataoffsets) + 3])
    elif kind == "tiles without length":
        with tifffile.TiffFile(path) as file:
            place, count = file.pages.first.tags[322].offset + 8, 4  # TileWidth
        path.write_bytes(content[:place] + bytes(count) + content[place + count :])
    return path


@pytest.mark.parametrize(
    "kind",
    [
        "empty",
        "wrong magic",
        "no page",
        "pages beyond the end",
        "cut in the header",
        "cut in the pixels",
        "tiles without length",
    ],
)
def test_a_broken_slide_is_one_sentence_with_its_name(tmp_path, capfd, kind):
    path = broken(tmp_path, kind)
    with pytest.raises(BadInputError, match=r"a\.svs") as caught:
        open_slide(path).level(0).region(0, 0, *SIZE)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_flipped_bytes_are_an_error_or_pixels(tmp_path):
    path = tmp_path / "a.tif"
    write_pyramid(path, scene())
    content, random = path.read_bytes(), np.random.default_rng(1)
    for place in random.integers(0, len(content), 100):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            slide = open_slide(path)
            rows, columns = slide.levels[-1].size
            slide.level(len(slide.levels) - 1).region(0, 0, min(rows, 64), min(columns, 64))
            slide.close()
        except (BadInputError, MissingInputError) as error:
            assert "\n" not in str(error)


def test_what_is_no_slide_says_so(tmp_path):
    with pytest.raises(MissingInputError, match="there is no slide"):
        open_slide(tmp_path / "a.svs")
    (tmp_path / "b.svs").mkdir()
    with pytest.raises(BadInputError, match="not a regular file"):
        open_slide(tmp_path / "b.svs")
    (tmp_path / "c.doc").write_text("")
    with pytest.raises(BadInputError, match=r"c\.doc' has none of the endings of slides"):
        open_slide(tmp_path / "c.doc")


# What OpenSlide reads

needs_openslide = pytest.mark.skipif(not openslide_slide.is_installed(), reason="needs the extra wsi")


def test_formats_of_scanners_name_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openslide", None)
    (tmp_path / "a.ndpi").write_bytes(b"II*\0")
    with pytest.raises(MissingInputError, match=r"pip install 'wsstool\[wsi\]'"):
        open_slide(tmp_path / "a.ndpi")


@pytest.mark.skipif(find_spec("imagecodecs") is not None, reason="imagecodecs decodes it")
def test_jpeg_2000_names_the_extra(tmp_path, monkeypatch):
    """Aperio's second compression; nothing here decodes it."""
    path = tmp_path / "a.svs"
    write_pyramid(path, scene(), 1, subifds=False, description="Aperio Image Library v11|MPP = 0.5")
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages.first.tags[259].overwrite(33005)
    monkeypatch.setattr(openslide_slide, "is_installed", lambda: False)
    with pytest.raises(MissingInputError, match=r"APERIO_JP2000_RGB, which needs openslide: pip install"):
        open_slide(path)


def test_lzw_is_decoded_whole_where_it_fits(tmp_path):
    """Pillow decodes it; tifffile needs another package for it."""
    Image.fromarray(scene()).save(tmp_path / "a.tif", compression="tiff_lzw")
    slide = open_slide(tmp_path / "a.tif")
    np.testing.assert_array_equal(slide.level(0).region(10, 20, 30, 40), scene()[10:40, 20:60])


@needs_openslide
def test_openslide_sees_the_same(tmp_path):
    made = write_pyramid(tmp_path / "a.tif", scene(), subifds=False)
    slide = openslide_slide.OpenSlideSlide(tmp_path / "a.tif")
    ours = TiffSlide(tmp_path / "a.tif")
    assert slide.levels == ours.levels and slide.mpp == pytest.approx(ours.mpp)
    np.testing.assert_array_equal(slide.level(1).region(10, 20, 30, 40), made[1][10:40, 20:60])


@needs_openslide
def test_openslide_says_what_is_broken_in_one_sentence(tmp_path):
    (tmp_path / "a.ndpi").write_bytes(b"II*\0")
    with pytest.raises(BadInputError, match=r"a\.ndpi") as caught:
        open_slide(tmp_path / "a.ndpi")
    assert "\n" not in str(caught.value)


@needs_openslide
@pytest.mark.data
def test_openslide_and_tifffile_agree_on_a_slide(shared):
    path = shared / "data" / "slides" / "cmu_small_region.svs"
    slide, ours = openslide_slide.OpenSlideSlide(path), open_slide(path)
    assert isinstance(ours, TiffSlide) and slide.levels == ours.levels and slide.mpp == ours.mpp == 0.499
    at = 1000, 900, 500, 700
    np.testing.assert_array_equal(slide.level(0).region(*at), ours.level(0).region(*at))
