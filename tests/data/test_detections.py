"""Detections put together: parts of the same images, and those of several models."""

from dataclasses import replace

import numpy as np
import pytest

from wsstool.data.detections import Detections, concatenated, joined
from wsstool.errors import BadInputError


def made(images: tuple[str, ...], image: list[int], **more) -> Detections:
    n = len(image)
    boxes = np.tile([0.0, 0.0, 5.0, 5.0], (n, 1))
    scores = np.linspace(0.9, 0.5, n)
    return Detections(images, np.array(image, np.int64), boxes, scores, np.zeros(n, np.int64), **more)


def test_rows_are_kept_where_every_part_has_its_own():
    first = made(("a",), [0, 0], rows=({"n": 1}, {"n": 2}))
    nothing = first.take(np.zeros(0, np.int64))
    assert [row["n"] for row in concatenated([first, nothing, first]).rows] == [1, 2, 1, 2]
    assert concatenated([first, replace(first, rows=())]).rows == ()


def test_models_share_the_images_and_the_columns_that_all_have():
    one = made(("b", "c"), [0, 1], columns={"density": np.ones(2), "group": np.ones(2)})
    other = made(("a", "c"), [1, 0], columns={"density": np.zeros(2)})
    found = joined([one, other], ["one", "other"])
    assert found.images == ("a", "b", "c")
    assert found.image.tolist() == [1, 2, 2, 0]
    assert found.columns["model"].tolist() == [0, 0, 1, 1]
    assert found.columns["density"].tolist() == [1, 1, 0, 0]
    assert "group" not in found.columns and found.sizes is None


def test_sizes_are_known_where_every_model_knows_its_own():
    one = made(("a",), [0], sizes=np.array([[4, 6]]))
    other = made(("b",), [0], sizes=np.array([[3, 5]]))
    assert joined([one, other], ["one", "other"]).sizes.tolist() == [[4, 6], [3, 5]]
    assert joined([one, replace(other, sizes=None)], ["one", "other"]).sizes is None


@pytest.mark.parametrize(
    ("change", "says"),
    [({"fractions": True}, "different box formats"), ({"names": {0: "dog"}}, "class 0 is 'dog' in 'other'")],
)
def test_models_that_do_not_fit_together(change, says):
    one = made(("a",), [0], names={0: "cat"})
    with pytest.raises(BadInputError, match=says):
        joined([one, replace(one, **change)], ["one", "other"])
