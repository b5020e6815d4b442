"""One entry per sentence: order, windows, numbers and classes."""

import numpy as np
import pytest

from wsstool import store
from wsstool.expressions.expression import Expression, collect
from wsstool.stages.objects.columns import BoxColumns, sentence_classes

SIZES = np.array([[40, 60], [0, 0], [30, 20]], np.int32)
IMAGES = ("a.jpg", "b.jpg", "c.jpg")
ROWS = collect(
    [
        Expression("c.jpg", ("the dog",), id=9, category="dog"),
        Expression("a.jpg", ("left cat", "the cat on the left"), (10, 20, 30, 40), id=5, category="cat"),
        Expression("elsewhere.jpg", ("a lamp",), (0, 0, 5, 5), id=6, category="lamp"),
        Expression("a.jpg", ("the thing",), (0, 0, 60, 40), id=7),
    ],
    "made up",
    "jsonl",
).rows


def test_one_entry_per_sentence():
    found = BoxColumns.of_sentences(IMAGES, SIZES, ROWS)
    columns = found.columns
    assert found.sentences == ("left cat", "the cat on the left", "the thing", "the dog")
    assert columns["box_offset"].tolist() == [0, 3, 3, 4]
    assert columns["box_id"].tolist() == [5, 5, 7, 9]
    assert found.classes.names == ("background", "cat", "dog", "lamp", "object")
    assert columns["box_class"].tolist() == [1, 1, 4, 2]
    assert columns["box"][:3].tolist() == [[10, 20, 30, 40]] * 2 + [[0, 0, 60, 40]]
    assert np.isnan(columns["box"][3]).all()
    assert columns["window"].tolist() == [[5, 15, 35, 40]] * 2 + [[0, 0, 60, 40], [0, 0, 20, 30]]
    assert found.given_boxes.tolist() == [[10, 20, 30, 40]] * 2 + [[0, 0, 60, 40], [0, 0, 20, 30]]


def test_whole_images_as_windows():
    found = BoxColumns.of_sentences(IMAGES, SIZES, ROWS, margin=None)
    assert found.columns["window"].tolist() == [[0, 0, 60, 40]] * 3 + [[0, 0, 20, 30]]
    assert found.header_fields()["elements"].tolist() == [3 * 2400, 0, 600]


@pytest.mark.parametrize("kind", ["contour", "selection", "mask"])
def test_a_file_gives_the_same_columns_back(kind):
    found = BoxColumns.of_sentences(IMAGES, SIZES, ROWS)
    fields = found.mask_fields() if kind == "mask" else found.header_fields()
    header = store.new_header(kind, stage="x", params={}, inputs=[], **fields)
    assert header.sentences == found.sentences
    assert header.shapes[:, 0].tolist() == [3, 0, 1]
    if kind != "mask":
        again = BoxColumns.of_header(header)
        assert again.digest() == found.digest()
        np.testing.assert_equal(again.columns, found.columns)


def test_the_digest_depends_on_the_sentences():
    other = [Expression(row.image, tuple(map(str.upper, row.sentences)), row.box) for row in ROWS]
    classes = sentence_classes(ROWS)
    digests = {BoxColumns.of_sentences(IMAGES, SIZES, rows, classes).digest() for rows in (ROWS, other)}
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("ids", "annotations", "expected"),
    [
        ((4, 2), (7, 8), [4, 2]),
        ((None, 2), (7, 8), [7, 8]),
        (("a", "b"), (7, 7), [1, 2]),
        ((1 << 70, 3), (None, None), [1, 2]),
    ],
)
def test_numbers_of_objects(ids, annotations, expected):
    rows = [
        Expression("a.jpg", (f"sentence {k}",), id=one, annotation_id=other)
        for k, (one, other) in enumerate(zip(ids, annotations, strict=True))
    ]
    assert [row.number for row in collect(rows, "made up", "jsonl").rows] == expected
