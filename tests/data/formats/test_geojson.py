"""GeoJSON: rings that enclose exactly the pixels of a mask, and what QuPath reads of them."""

import json
from itertools import pairwise

import numpy as np
import pytest

from wsstool.data.formats.geojson import write
from wsstool.data.geometry.instances import AnnotatedImage, Instance
from wsstool.data.geometry.polygons import parts
from wsstool.errors import UsageError
from wsstool.types import ClassList

CLASSES = ClassList(("background", "tumour"), 0, ((0, 0, 0), (200, 30, 40)))


def filled(coordinates, size):
    """The pixels whose centres lie inside, by even-odd counting of the edges to the right of them."""
    inside = np.zeros(size, bool)
    y, x = (np.arange(n) + 0.5 for n in size)
    for ring in coordinates:
        for (x0, y0), (x1, y1) in pairwise(ring):
            if x0 == x1:
                rows = (y > min(y0, y1)) & (y < max(y0, y1))
                inside ^= rows[:, None] & (x < x0)[None]
    return inside


def area(ring):
    x, y = np.array(ring, float).T
    return 0.5 * float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum())


def written(folder, masks, name="slide/a.png", labels=None, **options):
    size = masks[0].shape
    window = (0, 0, size[1], size[0])
    found = [Instance.of("tumour", mask, window, k, window, 0.25) for k, mask in enumerate(masks, 1)]
    write([AnnotatedImage(name, size, tuple(found))], folder, CLASSES, **options)
    return json.loads((folder / name).with_suffix(".geojson").read_text())


def polygons(geometry):
    return geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]


@pytest.mark.parametrize("seed", range(40))
def test_any_mask_comes_back_from_its_rings(seed, tmp_path):
    rng = np.random.default_rng(seed)
    mask = (rng.random((9, 11)) < rng.choice([0.3, 0.5, 0.8])).astype(np.uint8)
    mask[0, 0] = 1
    (feature,) = written(tmp_path / "out", [mask])["features"]
    found = np.zeros(mask.shape, int)
    for rings in polygons(feature["geometry"]):
        found += filled(rings, mask.shape)
        assert all(ring[0] == ring[-1] for ring in rings)
        assert all(len({tuple(point) for point in ring}) == len(ring) - 1 for ring in rings), "touches itself"
        assert area(rings[0]) > 0 and all(area(hole) < 0 for hole in rings[1:])
    assert np.array_equal(found, mask)


@pytest.mark.parametrize("seed", range(20))
def test_shapely_calls_them_valid(seed, tmp_path):
    geometry = pytest.importorskip("shapely.geometry", reason="shapely reads the file in this test")
    rng = np.random.default_rng(seed)
    mask = (rng.random((9, 11)) < 0.6).astype(np.uint8)
    (feature,) = written(tmp_path / "out", [mask])["features"]
    for rings in polygons(feature["geometry"]):
        assert geometry.shape({"type": "Polygon", "coordinates": rings}).is_valid
    assert geometry.shape(feature["geometry"]).area == mask.sum()


def test_parts_that_touch_at_a_corner_and_holes_that_do():
    diagonal = parts(np.eye(2))
    assert [part.outline.tolist() for part in diagonal] == [
        [[0, 0], [1, 0], [1, 1], [0, 1]],
        [[1, 1], [2, 1], [2, 2], [1, 2]],
    ]
    ring = np.ones((4, 4))
    ring[1, 1] = ring[2, 2] = 0  # for the outlines one hole, which touches itself
    (part,) = parts(ring)
    assert sorted(hole[0].tolist() for hole in part.holes) == [[1, 1], [2, 2]]
    closed = np.ones((3, 3))
    closed[1, 1] = closed[0, 2] = 0  # the hole reaches the outside at a corner
    (part,) = parts(closed)
    assert len(part.holes) == 1 and len(part.outline) == 6
    island = np.ones((5, 5))
    island[1:4, 1:4] = 0
    island[2, 2] = 1
    outer, inner = parts(island)
    assert (len(outer.holes), len(inner.holes)) == (1, 0)


def test_what_qupath_reads(tmp_path):
    mask = np.zeros((4, 6), np.uint8)
    mask[1:3, 2:5] = 1
    found = written(tmp_path / "out", [mask], scale=4)
    assert found["type"] == "FeatureCollection"
    assert found["features"] == [
        {
            "type": "Feature",
            "id": 1,
            "geometry": {"type": "Polygon", "coordinates": [[[8, 4], [20, 4], [20, 12], [8, 12], [8, 4]]]},
            "properties": {
                "objectType": "annotation",
                "classification": {"name": "tumour", "color": [200, 30, 40]},
                "score": 0.25,
                "measurements": {"score": 0.25, "area": 96},
            },
        }
    ]


def test_an_image_without_objects_has_an_empty_collection(tmp_path):
    write([AnnotatedImage("a.png", (3, 3), ())], tmp_path / "out", CLASSES)
    assert json.loads((tmp_path / "out/a.geojson").read_text()) == {
        "type": "FeatureCollection",
        "features": [],
    }


@pytest.mark.parametrize(
    ("options", "sentence"),
    [({"scale": 0}, "above 0"), ({"scale": float("nan")}, "above 0"), ({"object": "cell"}, "annotation or")],
)
def test_bad_settings(options, sentence, tmp_path):
    with pytest.raises(UsageError, match=sentence):
        written(tmp_path / "out", [np.ones((2, 2), np.uint8)], **options)
    assert not (tmp_path / "out").exists()
