"""The merge tree of proposals, and windows of images."""

import tracemalloc

import numpy as np
import pytest

from wsstool import regions
from wsstool.proposals.masks import from_masks
from wsstool.regions import Proposals, box_in_window, box_mask, in_window

SUPERPIXELS = np.array([[0, 0, 1], [2, 2, 1]], np.uint16)


def _proposals(*rows):
    return Proposals(SUPERPIXELS, np.array(rows, np.uint16).reshape(-1, 3))


def test_members_follow_the_tree_in_any_order():
    # Row 0 is made of row 2, which is no proposal itself; row 1 is a superpixel alone.
    found = _proposals((5, 1, 1), (2, 2, 1), (0, 2, 0))
    assert len(found) == 2
    assert found.members().tolist() == [[True, True, True], [False, False, True]]
    assert _proposals().members().shape == (0, 3)


def test_no_pixels_and_no_members():
    assert Proposals(np.zeros((0, 4), np.uint16), np.zeros((0, 3), np.uint16)).members().shape == (0, 0)


@pytest.mark.parametrize("budget", [1, 20, 10**6])
def test_members_in_blocks_of_superpixels(budget, monkeypatch):
    monkeypatch.setattr(regions, "_HELD_BYTES", budget)
    found = _proposals((5, 1, 1), (2, 2, 1), (0, 2, 0)).members()
    assert found.tolist() == [[True, True, True], [False, False, True]]


def test_noise_takes_little_memory():
    """Random masks cut an image into tens of thousands of superpixels, and a tree of as many rows."""
    rng = np.random.default_rng(0)
    masks = [rng.random((120, 120)) < 0.5 for _ in range(16)]
    proposals, left_out = from_masks((120, 120), masks)
    assert proposals.n_superpixels > 12_000 and len(proposals) + left_out == 16
    tracemalloc.start()
    members = proposals.members()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6
    for row, mask in zip(members, masks, strict=False):
        np.testing.assert_array_equal(row[proposals.superpixels], mask)


@pytest.mark.parametrize("rows", [[(3, 0, 1)], [(4, 0, 1), (3, 1, 1)], [(9, 0, 1)]])
def test_circles_and_missing_parts(rows):
    with pytest.raises(ValueError, match=r"part|each other"):
        _proposals(*rows).members()


def test_box_mask_marks_every_pixel_that_the_box_touches():
    assert box_mask(np.array([1.5, 0, 3, 1.5]), (3, 4)).astype(int).tolist() == [
        [0, 1, 1, 0],
        [0, 1, 1, 0],
        [0, 0, 0, 0],
    ]
    assert box_mask(np.array([-5, -5, 50, 50]), (2, 3, 3)).shape == (2, 3)
    assert box_mask(np.array([-5, -5, 50, 50]), (2, 3)).all()
    assert not box_mask(np.array([7, 0, 9, 2]), (3, 4)).any()
    assert box_mask(np.array([1.2, 1.2, 1.3, 1.3]), (3, 4)).sum() == 1


def test_a_box_in_a_window_covers_the_same_pixels():
    rng = np.random.default_rng(0)
    for _ in range(50):
        x0, y0 = rng.uniform(-4, 14, 2)
        box = np.array([x0, y0, x0 + rng.uniform(0.1, 12), y0 + rng.uniform(0.1, 9)], np.float32)
        left, top, right, bottom = window = (3, 2, 11, 12)
        moved = box_in_window(box, window)
        assert moved.dtype == np.float32
        whole = box_mask(box, (20, 20))[top:bottom, left:right]
        assert (box_mask(moved, (bottom - top, right - left)) == whole).all()


@pytest.mark.parametrize(
    "other", [(0, 0, 9, 7), (3, 2, 5, 4), (1, 1, 3, 7), (6, 0, 9, 3), (7, 5, 9, 7), (0, 0, 2, 2)]
)
def test_values_of_one_window_in_another(other):
    values = np.random.default_rng(0).random((3, 4)).astype(np.float16)
    canvas = np.zeros((7, 9), np.float32)
    canvas[2:5, 2:6] = values
    x0, y0, x1, y1 = other
    found = in_window(values, (2, 2, 6, 5), other)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, canvas[y0:y1, x0:x1])
