"""Label maps of tiles back on the slide: a round trip, cut regions, and what is refused."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import tifffile

from tests.data.pictures.pyramids import scene, write_pyramid
from wsstool import store
from wsstool.data.images import read_image
from wsstool.data.palettes import class_palette
from wsstool.data.pictures import openslide_slide
from wsstool.data.pictures.label_pyramid import write_label_pyramid
from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.stages.exchange import slides
from wsstool.stages.exchange.export import export
from wsstool.stages.slides.tiles import tiles
from wsstool.types import ClassList

CLASSES = ClassList(("glass", "tumour", "stroma"), background=0)


def truth(rows: int, columns: int) -> np.ndarray:
    """Shapes that cross the borders of tiles, one with a hole, one touching the corner."""
    labels = np.zeros((rows, columns), np.uint8)
    labels[20:120, 30:150] = 1
    labels[50:90, 60:110] = 0
    labels[100:, 160:] = 2
    return labels


@pytest.fixture
def tile_set(tmp_path):
    """A slide with three levels, and tiles of the second: (150, 205) pixels, 1 micron each."""
    write_pyramid(tmp_path / "a.tif", scene())
    tiles([tmp_path / "a.tif"], output=tmp_path / "t", size=64, level=1, overlap=10, tissue=False)
    return tmp_path / "t"


def write_masks(path, folder, labels, without=(), change=lambda name, mask: mask):
    """The masks that a perfect segmenter would give."""
    names, masks = [], []
    for file in sorted(p for p in folder.glob("images/*/*.png") if p.name not in without):
        x, y = int(file.name[1:9]) // 2, int(file.name[11:19]) // 2
        names.append(file.relative_to(folder).as_posix())
        masks.append(change(file.name, labels[y : y + 64, x : x + 64]))
    sizes = np.array([mask.shape for mask in masks])
    header = store.new_header(
        "mask",
        stage="test",
        params={},
        inputs=[],
        images=names,
        sizes=sizes,
        shapes=np.array([(1, *size) for size in sizes]),
        classes=CLASSES,
    )
    with store.create(header, path) as writer:
        for mask in masks:
            writer.write(np.ascontiguousarray(mask)[None])
    return path


def features(path):
    return json.loads(path.read_text())["features"]


def filled(found, shape, scale):
    """Draw the outlines by even-odd at the centres of pixels, as any reader of polygons would."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    labels = np.zeros(shape, np.uint8)
    for one in found:
        shapes = one["geometry"]["coordinates"]
        rings = shapes if one["geometry"]["type"] == "Polygon" else [r for part in shapes for r in part]
        inside = np.zeros(shape, bool)
        for ring in rings:
            points = np.array(ring) / scale
            for (x0, y0), (x1, y1) in itertools.pairwise(points):
                if x0 == x1:
                    inside ^= (x < x0) & (y > min(y0, y1)) & (y < max(y0, y1))
        labels[inside] = CLASSES.names.index(one["properties"]["classification"]["name"])
    return labels


def test_a_label_map_goes_round(tile_set, tmp_path):
    labels = truth(150, 205)
    masks = write_masks(tmp_path / "m.h5", tile_set, labels)
    made = export(masks, output=tmp_path / "out", format="tiff", tiles=tile_set)
    assert (made["written"], made["format"]) == (1, "tiff")
    path = tmp_path / "out/a.tif"
    np.testing.assert_array_equal(tifffile.imread(path), labels)
    with tifffile.TiffFile(path) as file:
        tags = file.pages.first.tags
        assert (tags.valueof(282), tags.valueof(296)) == ((10_000, 1), 3)  # pixels per centimetre
    np.testing.assert_array_equal(read_image(path), class_palette(CLASSES)[labels])
    assert (tmp_path / "out/classes.txt").read_text().split()[1::2] == list(CLASSES.names)


def test_regions_are_whole_and_in_pixels_of_the_slide(tile_set, tmp_path):
    labels = truth(150, 205)
    masks = write_masks(tmp_path / "m.h5", tile_set, labels)
    export(masks, output=tmp_path / "out", format="geojson", tiles=tile_set / "tiles.json")
    found = features(tmp_path / "out/a.geojson")
    assert [one["properties"]["classification"]["name"] for one in found] == ["tumour", "stroma"]
    assert [one["id"] for one in found] == [1, 2]
    assert found[0]["geometry"]["coordinates"][0] == [[60, 40], [300, 40], [300, 240], [60, 240], [60, 40]]
    assert len(found[0]["geometry"]["coordinates"]) == 2
    assert found[0]["properties"]["measurements"]["area"] == (100 * 120 - 40 * 50) * 4
    np.testing.assert_array_equal(filled(found, labels.shape, 2), labels)


def test_what_is_larger_than_a_block_is_cut_and_still_covered(tile_set, tmp_path, monkeypatch):
    monkeypatch.setattr(slides, "BLOCK", 100)
    labels = truth(150, 205)
    masks = write_masks(tmp_path / "m.h5", tile_set, labels)
    export(masks, output=tmp_path / "out", format="geojson", tiles=tile_set)
    found = features(tmp_path / "out/a.geojson")
    assert len(found) > 2 and len({one["id"] for one in found}) == len(found)
    np.testing.assert_array_equal(filled(found, labels.shape, 2), labels)


def test_overlaps_are_cut_in_the_middle(tile_set, tmp_path):
    """Tiles disagree near their borders; each is believed up to the middle of the overlap."""
    first = "x00000000_y00000000.png"
    masks = write_masks(
        tmp_path / "m.h5",
        tile_set,
        np.zeros((150, 205), np.uint8),
        change=lambda name, mask: mask + 1 if name == first else mask,
    )
    export(masks, output=tmp_path / "out", tiles=tile_set)
    found = tifffile.imread(tmp_path / "out/a.tif")
    assert found[:59, :59].all() and found.sum() == 59 * 59


def test_glass_has_no_label_and_neighbours_reach_into_it(tile_set, tmp_path):
    first = "x00000000_y00000000.png"
    labels = np.ones((150, 205), np.uint8)
    masks = write_masks(tmp_path / "m.h5", tile_set, labels, without=[first])
    export(masks, output=tmp_path / "out", tiles=tile_set)
    found = tifffile.imread(tmp_path / "out/a.tif")
    assert (found[:54, :54] == 255).all() and (found == 255).sum() == 54 * 54


def test_levels_of_a_large_map(tmp_path):
    labels = (np.arange(1100 * 700).reshape(1100, 700) % 7).astype(np.uint8)
    write_label_pyramid(tmp_path / "a.tif", labels, class_palette(), 0.25)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert [level.shape for level in file.series[0].levels] == [(1100, 700), (550, 350), (275, 175)]
        for k, level in enumerate(file.series[0].levels):
            np.testing.assert_array_equal(level.asarray(), labels[:: 2**k, :: 2**k])


@pytest.mark.skipif(not openslide_slide.is_installed(), reason="needs the extra wsi")
def test_openslide_opens_the_map(tmp_path):
    labels = (np.arange(1100 * 700).reshape(1100, 700) % 7).astype(np.uint8)
    write_label_pyramid(tmp_path / "a.tif", labels, class_palette(), 0.25)
    slide = openslide_slide.OpenSlideSlide(tmp_path / "a.tif")
    assert slide.mpp == pytest.approx(0.25) and slide.levels[0].size == labels.shape
    part = slide.level(0).region(500, 300, 100, 90)
    np.testing.assert_array_equal(part, class_palette()[labels[500:600, 300:390]])


def test_refusals(tile_set, tmp_path):
    masks = write_masks(tmp_path / "m.h5", tile_set, truth(150, 205))
    strange = write_masks(tmp_path / "s.h5", tile_set, truth(150, 205), change=lambda _, mask: mask[:50])
    write_pyramid(tmp_path / "b.tif", scene())
    tiles([tmp_path / "b.tif"], output=tmp_path / "other", size=64, tissue=False)
    for wrong, source, options, why in (
        (UsageError, masks, {"format": "tiff"}, "name it with --tiles"),
        (UsageError, masks, {"format": "coco", "tiles": tile_set}, "--format tiff or geojson"),
        (UsageError, masks, {"tiles": tile_set, "min_area": 5}, "are for --format geojson"),
        (UsageError, masks, {"tiles": tile_set, "flat": True}, "do nothing with --tiles"),
        (MissingInputError, masks, {"tiles": tmp_path}, "which 'wsstool tiles' writes"),
        (BadInputError, masks, {"tiles": masks}, "not the description of a tile set"),
        (BadInputError, masks, {"tiles": tmp_path / "other"}, "is not in the tile set"),
        (BadInputError, strange, {"tiles": tile_set}, "64 x 50 pixels, unlike the tile"),
    ):
        with pytest.raises(wrong, match=why):
            export(source, output=tmp_path / "out", **options)
        assert not (tmp_path / "out").exists()
