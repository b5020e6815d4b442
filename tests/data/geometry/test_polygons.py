"""Polygons run along pixel edges and give their mask back, here and in COCO's own tools."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wsstool.data.geometry.polygons import fill, joined, outlines, polygons

coco = pytest.importorskip("pycocotools.mask")

SHAPES = {
    "one pixel": ["1"],
    "one pixel in the middle": ["000", "010", "000"],
    "whole image": ["111", "111"],
    "image border": ["1110", "1000", "1001"],
    "touching corners": ["10", "01"],
    "touching corners, other way": ["01", "10"],
    "checkerboard": ["10101", "01010", "10101"],
    "hole": ["111", "101", "111"],
    "holes that touch at a corner": ["1111", "1011", "1101", "1111"],
    "hole that touches the outside at a corner": ["1111", "1011", "1101", "1110"],
    "island in a hole": ["11111", "10001", "10101", "10001", "11111"],
    "hole under a hole": ["111", "101", "111", "101", "111"],
    "two holes on one edge": ["11111", "11111", "10101", "11111"],
    "two parts": ["1001", "1101"],
}


def drawn(rows: list[str]) -> np.ndarray:
    return np.array([[c == "1" for c in row] for row in rows])


def by_coco(parts, size) -> np.ndarray:
    runs = coco.frPyObjects([np.asarray(p, float).reshape(-1).tolist() for p in parts], *size)
    return coco.decode(coco.merge(runs)).astype(bool)


@pytest.mark.parametrize("name", SHAPES)
def test_hard_shapes_come_back(name):
    mask = drawn(SHAPES[name])
    for parts in (polygons(mask), [joined(polygons(mask))]):
        assert np.array_equal(fill(parts, mask.shape), mask)
        assert np.array_equal(by_coco(parts, mask.shape), mask)


@settings(max_examples=150, deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_any_mask_comes_back(mask):
    parts = polygons(mask)
    assert np.array_equal(fill(parts, mask.shape), mask)
    if parts:
        assert np.array_equal(by_coco([joined(parts)], mask.shape), mask)


def test_corners_that_touch_make_two_parts_and_holes_turn_the_other_way():
    assert [p.tolist() for p in polygons(drawn(["10", "01"]))] == [
        [[0, 0], [1, 0], [1, 1], [0, 1]],
        [[1, 1], [2, 1], [2, 2], [1, 2]],
    ]
    outer, hole = outlines(drawn(SHAPES["hole"]))
    assert (outer.is_hole, hole.is_hole) == (False, True)
    assert hole.points.tolist() == [[1, 1], [1, 2], [2, 2], [2, 1]]
    assert polygons(drawn(SHAPES["hole"]))[0].tolist() == [
        [0, 0], [1, 0], [1, 1], [1, 2], [2, 2], [2, 1], [1, 1], [1, 0], [3, 0], [3, 3], [0, 3],
    ]  # fmt: skip


def test_an_empty_mask_has_no_polygon():
    assert polygons(np.zeros((3, 2))) == [] and polygons(np.zeros((0, 0))) == []
    assert not fill([], (2, 3)).any() and fill([np.zeros((0, 2))], (2, 3)).shape == (2, 3)


@pytest.mark.parametrize("seed", range(40))
def test_any_polygon_gives_the_pixels_that_coco_gives(seed):
    r = np.random.default_rng(seed)
    for _ in range(10):
        size = tuple(int(n) for n in r.integers(1, 40, 2))
        parts = [r.uniform(-5, 45, (r.integers(3, 9), 2)) for _ in range(r.integers(1, 4))]
        assert np.array_equal(fill(parts, size), by_coco(parts, size))


def test_a_window_is_that_part_of_the_image():
    part = np.array([[2.3, 3.1], [11.7, 4.4], [6.2, 12.9]])
    whole = fill([part], (16, 16))
    assert np.array_equal(fill([part], (9, 8), corner=(4, 5)), whole[5:14, 4:12])


def test_polygons_of_the_coco_pack_are_those_pixels(shared):
    import json

    data = json.loads((shared / "data/eval_reference/instances_val2014_100.json").read_bytes())
    sizes = {i["id"]: (i["height"], i["width"]) for i in data["images"]}
    drawn = [a for a in data["annotations"] if isinstance(a["segmentation"], list)][:300]
    assert len(drawn) > 100
    for one in drawn:
        parts = [np.reshape(p, (-1, 2)) for p in one["segmentation"]]
        mask = fill(parts, sizes[one["image_id"]])
        assert np.array_equal(mask, by_coco(parts, mask.shape))
        assert np.array_equal(fill(polygons(mask), mask.shape), mask)
