"""The multi-layer rule on hand-computed maps: one scale, the gate, its ties."""

import numpy as np
import pytest

from wsstool.errors import BadInputError
from wsstool.masks.method import Method
from wsstool.masks.multilayer import multilayer

#: Four classes in a row of four pixels; the joint extremes are -4 (class 1) and 12 (class 3).
MAPS = np.array(
    [
        [[8.0, 0.0, 2.0, -2.0]],
        [[-4.0, 1.0, 0.0, -3.0]],
        [[4.0, 6.0, 3.0, -3.5]],
        [[12.0, 9.0, 9.0, 9.0]],
    ],
    np.float32,
)
IDS = np.arange(4)


def labels(tags, maps=MAPS, size=None, **own):
    method = Method(rule=multilayer, gated=True, normalise="minmax", **own)
    return method.label_map(maps, np.arange(len(maps)), size or maps.shape[1:], tags=np.array(tags)).tolist()


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ([0, 1, 2, 3], [3, 3, 3, 3]),
        ([0, 1], [0, 1, 0, 0]),
        ([0, 2], [0, 2, 2, 0]),
        ([1, 2], [2, 2, 2, 1]),
        ([2], [2, 2, 2, 2]),
    ],
)
def test_the_best_tagged_class_wins(tags, expected):
    assert labels(tags) == [expected]


def test_the_joint_minimum_of_a_tagged_class_falls_to_the_lowest_id():
    assert labels([1]) == [[0, 1, 1, 1]]  # -4 is the minimum of all: 0 against the 0 of absent classes
    assert labels([1, 2]) == [[2, 2, 2, 1]]  # here another tag is above it
    method = Method(
        rule=lambda *a, **k: multilayer(*a, **k, tagged_only=True), gated=True, normalise="minmax"
    )
    assert method.label_map(MAPS, IDS, (1, 4), tags=np.array([1])).tolist() == [[1, 1, 1, 1]]


def test_absent_classes_set_the_scale():
    """Without the map of class 1 the minimum is class 2's, and the trap is sprung at another pixel."""
    assert labels([2]) == [[2, 2, 2, 2]]
    method = Method(rule=multilayer, gated=True, normalise="minmax")
    kept = np.array([0, 2, 3])
    assert method.label_map(MAPS[kept], kept, (1, 4), tags=np.array([2])).tolist() == [[2, 2, 2, 0]]


def test_ties_of_tagged_classes_go_to_the_lowest_id():
    maps = np.stack([np.full((1, 3), value, np.float32) for value in (1.0, 5.0, 5.0)])
    assert labels([1, 2], maps) == [[1, 1, 1]]


@pytest.mark.parametrize("value", [0.0, 3.5, -2.0, 1e30])
def test_a_constant_stack_is_of_the_lowest_tag(value):
    maps = np.full((4, 2, 2), value, np.float32)
    assert labels([1, 3], maps) == [[1, 1], [1, 1]]


def test_untagged_images_are_unknown():
    assert labels([]) == [[255] * 4]


def test_extremes_are_those_of_the_enlarged_maps():
    """Cells of 0, 1, 0 enlarged twice: 0.25 and 0.75 beside the centre, which itself is never reached."""
    maps = np.array([[[0.0, 0.0, 0.0]], [[5.0, 1.0, 5.0]]], np.float32)
    seen = []
    rule = lambda scores, ids, background, tags: seen.append(scores) or multilayer(scores, ids, tags=tags)  # noqa: E731
    Method(rule=rule, gated=True, normalise="minmax").label_map(maps, IDS[:2], (1, 6), tags=np.array([1]))
    np.testing.assert_allclose(seen[0][1, 0], [1, 0.8, 0.4, 0.4, 0.8, 1], atol=1e-6)
    np.testing.assert_array_equal(seen[0][0], 0)
    maps = np.array([[[0.0, 8.0, 0.0, 0.0]]], np.float32)
    Method(rule=rule, gated=True, normalise="minmax").label_map(maps, IDS[:1], (1, 8), tags=np.array([0]))
    np.testing.assert_allclose(seen[1][0, 0, :4], [0, 1 / 3, 1, 1], atol=1e-6)  # 0, 2, 6, 6 of at most 6


def test_images_that_are_not_square_keep_rows_and_columns():
    maps = np.zeros((2, 2, 3), np.float32)
    maps[0, :, 0], maps[1, :, 1:] = 2, 1
    found = np.array(labels([0, 1], maps, size=(4, 9)))
    assert found.shape == (4, 9)
    assert (found[:, :3] == 0).all() and (found[:, 6:] == 1).all()


def test_maps_that_are_not_finite_are_refused():
    maps = MAPS.copy()
    maps[0, 0, 0] = np.nan
    with pytest.raises(BadInputError, match="NaN"):
        labels([0], maps)


def test_pixels_that_show_the_background_have_it():
    image = np.zeros((1, 4, 3), np.uint8)
    image[0, 1] = 255
    method = Method(
        rule=multilayer, gated=True, normalise="minmax", seen=lambda i: i[..., 0] > 9, seen_id=4, forbidden=4
    )
    assert method.reads_pixels
    assert method.label_map(MAPS, IDS, (1, 4), image, np.array([0, 1])).tolist() == [[0, 4, 0, 0]]
    assert method.label_map(MAPS, IDS, (1, 4), image, np.array([], int)).tolist() == [[255] * 4]
