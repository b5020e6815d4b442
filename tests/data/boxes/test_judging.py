"""Which rows of a box source are kept, where clipping puts them, and which are then usable."""

import numpy as np
import pytest

from wsstool.data.boxes.judging import clipped_boxes, judged_rows
from wsstool.data.formats import WrittenBox
from wsstool.data.geometry.rle import encode
from wsstool.errors import BadInputError

NAN = (float("nan"),) * 4
SIZES = np.array([[10, 20], [0, 0]])  # the second image cannot be read
PLACES = {"a.png": 0, "b.png": 1}


def judged(*rows: WrittenBox, form: str = "xyxy"):
    return judged_rows(rows, PLACES, SIZES, form, "the test")


def clipped(*numbers, form: str = "xyxy", fractions: bool = False, tiny: bool = False):
    found = judged(*(WrittenBox("a.png", "cat", one) for one in numbers))
    return clipped_boxes(found, SIZES, form, fractions=fractions, tiny=tiny)


def test_rows_are_kept_or_counted_by_reason():
    found = judged(
        WrittenBox("a.png", "cat", (1, 2, 3, 4), id=5),
        WrittenBox("elsewhere.png", "cat", (1, 2, 3, 4)),
        WrittenBox("a.png", "cat", (1, 2, 3, 4), crowd=True),
        WrittenBox("a.png", "cat", NAN),
        WrittenBox("b.png", "cat", (1, 2, 3, 4)),
    )
    assert [row.id for row in found.rows] == [5]
    assert found.image.tolist() == [0]
    assert dict(found.dropped) == {
        "crowd region": 1,
        "not four finite numbers": 1,
        "its image cannot be read": 1,
    }


@pytest.mark.parametrize(("form", "numbers"), [("xyxy", (2, 1, 6, 4)), ("xywh", (2, 1, 4, 3))])
def test_a_shape_stands_in_for_missing_numbers(form, numbers):
    mask = np.zeros((10, 20), bool)
    mask[1:4, 2:6] = True
    found = judged(
        WrittenBox("a.png", "cat", NAN, shape=encode(mask)),
        WrittenBox("a.png", "cat", NAN, shape=encode(np.zeros((10, 20), bool))),
        WrittenBox("a.png", "cat", (0, 0, 1, 1), shape=encode(mask)),
        form=form,
    )
    assert [row.numbers for row in found.rows] == [numbers, (0, 0, 1, 1)]
    assert found.has_numbers.tolist() == [False, True]
    assert found.dropped == {"no pixel inside its outline": 1}


def test_a_shape_of_another_size_is_an_error():
    with pytest.raises(BadInputError, match=r"image 'a\.png' in the test"):
        judged(WrittenBox("a.png", "cat", NAN, shape=encode(np.ones((3, 3), bool))))


def test_clipping_and_what_is_usable():
    found = clipped((-5, -5, 5, 5), (4, 4, 4, 9), (30, 0, 40, 5), (3, 3, 3.4, 9), (0, 0, 20, 10))
    assert found.clipped[0].tolist() == [0, 0, 5, 5]
    assert found.usable.tolist() == [True, False, False, False, True]
    assert found.dropped == {"no width or height": 1, "outside the image": 1, "a pixel or less": 1}
    assert clipped((3, 3, 3.4, 9), tiny=True).usable.all()


def test_shares_become_pixels_of_their_image():
    found = clipped((0.5, 0.5, 0.5, 1.0), form="cxcywh", fractions=True)
    assert found.xyxy.tolist() == [[5, 0, 15, 10]]
    assert found.extents.tolist() == [[1, 1]]


def test_no_rows():
    found = clipped()
    assert found.clipped.shape == (0, 4) and not found.usable.any()
