"""Images made smaller: sizes, and what each way of resampling means."""

from typing import get_args

import numpy as np
import pytest

from wsstool.image_size import Resampling, shrink, size_within

METHODS = get_args(Resampling)


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize(
    ("size", "longest", "expected"),
    [
        ((300, 400), 200, (150, 200)),
        ((400, 300), 200, (200, 150)),
        ((30, 60), 60, (30, 60)),
        ((30, 60), 61, (30, 60)),
        ((1, 500), 50, (1, 50)),
        ((333, 500), 128, (85, 128)),
    ],
)
def test_sizes(size, longest, expected):
    assert size_within(size, longest) == expected


@pytest.mark.parametrize("method", METHODS)
def test_equal_sizes_change_no_value(method):
    image = noise(6, 9, 3)
    found = shrink(image, (6, 9), method)
    np.testing.assert_array_equal(found, image)
    assert found.dtype == (np.uint8 if method in ("box", "triangle") else np.float64)


@pytest.mark.parametrize("method", METHODS)
def test_one_colour_stays(method):
    found = shrink(np.full((40, 55, 3), 93, np.uint8), (7, 9), method)
    assert found.shape == (7, 9, 3) and found.flags.writeable
    np.testing.assert_allclose(found, 93, atol=1e-9)


def test_box_is_the_mean_of_the_pixels_whose_centres_lie_in_it():
    image = noise(4, 10, 3)
    found = shrink(image, (4, 4), "box")
    edges = (0, 3, 5, 8, 10)  # 10 columns into 4: 2.5 each
    for k in range(4):
        mean = image[:, edges[k] : edges[k + 1]].mean(1)
        assert np.abs(found[:, k] - mean).max() <= 0.5 + 1e-6


def test_triangle_weighs_by_distance():
    image = np.zeros((1, 12), np.uint8)
    image[0, 5] = 240
    found = shrink(image, (1, 4), "triangle")[
        0
    ]  # the pixel is 1 from the centre of its own cell, 2 from the next
    assert found[1] > found[2] > 0 and found[0] == found[3] == 0


def test_blocks_are_means_of_whole_pixels():
    image = noise(7, 11, 3)
    found = shrink(image, (2, 3), "blocks")
    rows, columns = (0, 3, 7), (0, 3, 7, 11)
    for i in range(2):
        for j in range(3):
            part = image[rows[i] : rows[i + 1], columns[j] : columns[j + 1]]
            np.testing.assert_allclose(found[i, j], part.reshape(-1, 3).mean(0))
    np.testing.assert_array_equal(shrink(image[..., 0], (2, 3), "blocks"), found[..., 0])


def test_gaussian_is_smooth():
    stripes = np.tile(np.array([0, 255], np.uint8), (40, 20))
    found = shrink(stripes, (10, 10), "gaussian")
    assert np.ptp(found) < 30 and found.mean() == pytest.approx(127.5, abs=5)
