"""White background: the grey formula, its threshold, and which regions are large enough."""

import numpy as np
import pytest

from wsstool.errors import BadInputError, UsageError
from wsstool.masks.white import grey, white


def blank(rows=20, columns=30, value=90):
    return np.full((rows, columns, 3), value, np.uint8)


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [
        ((0, 0, 0), 0),
        ((255, 255, 255), 255),
        ((200, 200, 200), 200),
        ((201, 201, 201), 201),
        ((255, 0, 0), 76),  # (9798 * 255 + 16384) >> 15 = 76.7
        ((0, 255, 0), 150),
        ((0, 0, 255), 29),
        ((200, 201, 200), 201),  # 200.587 + 0.5
        ((202, 200, 200), 201),  # 200.598 + 0.5
        ((201, 200, 200), 200),  # 200.299 + 0.5
        ((200, 200, 204), 200),  # 200.456 + 0.5
        ((200, 200, 205), 201),  # 200.570 + 0.5
    ],
)
def test_grey_by_hand(rgb, expected):
    image = np.array([[rgb]], np.uint8)
    assert grey(image).tolist() == [[expected]]
    assert white(image, white_smallest=1).tolist() == [[expected > 200]]


def test_regions_of_fifty_stay_and_of_forty_nine_go():
    image = blank()
    image[2:7, 2:12] = 255  # 50
    image[10:17, 2:9] = 255  # 49
    found = white(image)
    assert found[2:7, 2:12].all() and found.sum() == 50
    assert white(image, white_smallest=49).sum() == 99
    assert white(image, white_smallest=51).sum() == 0


def test_regions_hang_together_by_edges_not_by_corners():
    image = blank()
    image[2:7, 2:7], image[7:12, 7:12] = 255, 255  # 25 and 25, touching at a corner
    assert not white(image).any()
    image[6, 7] = 255
    assert white(image).sum() == 51


def test_all_white_and_none():
    assert white(blank(value=255)).all()
    assert not white(blank(value=200)).any()
    assert not white(blank(4, 4, 255)).any()  # 16 pixels are too few


def test_what_is_not_white_is_no_region():
    assert not white(blank(), white_smallest=0).any()


def test_bad_input_is_one_sentence():
    with pytest.raises(BadInputError, match="RGB"):
        white(np.zeros((5, 5), np.uint8))
    with pytest.raises(BadInputError, match="RGB"):
        white(np.zeros((5, 5, 3), np.float32))


@pytest.mark.parametrize("odd", [{"white_above": 256}, {"white_above": -2}, {"white_smallest": -1}])
def test_values_out_of_range(odd):
    with pytest.raises(UsageError, match=next(iter(odd))):
        white(np.zeros((2, 2, 3), np.uint8), **odd)
