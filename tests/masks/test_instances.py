"""Masks of objects laid over each other: at the least score, and equal scores."""

import numpy as np
import pytest

from wsstool.errors import UsageError
from wsstool.masks.instances import merge_instances

WINDOWS = [(0, 0, 3, 1), (2, 0, 5, 1)]
BOTH = [np.ones((1, 3), np.uint8)] * 2


def merged(ids: list[int], scores: list[float], **options) -> list[int]:
    """Label map of a row of six pixels and two objects, pixels 0 to 2 and 2 to 4."""
    return merge_instances((1, 6), WINDOWS, BOTH, ids, scores, WINDOWS, **options)[0].tolist()


@pytest.mark.parametrize("overlap", ["ignore", "score"])
def test_an_object_of_exactly_the_least_score_counts(overlap):
    assert merged([1, 1], [0.5, 0.25], min_score=0.5, overlap=overlap) == [1, 1, 1, 255, 255, 0]
    assert merged([1, 1], [0.5, 0.25], min_score=0.25, overlap=overlap) == [1, 1, 1, 1, 1, 0]
    assert merged([1, 1], [0.5, 0.25], min_score=0.5625, overlap=overlap) == [255] * 5 + [0]
    assert merged([1, 1], [0.5, float("nan")], overlap=overlap) == [1, 1, 1, 255, 255, 0]


@pytest.mark.parametrize("overlap", ["ignore", "score"])
@pytest.mark.parametrize(("min_score", "beside"), [(0.25, 0), (0.2578125, 255)])
def test_the_rest_of_a_box_is_background_from_the_least_score_on(overlap, min_score, beside):
    half, box = np.array([[1, 0, 1]], np.uint8), [(0, 0, 3, 1)]
    options = {"overlap": overlap, "min_score": min_score}
    labels = merge_instances((1, 3), box, [half], [4], [0.25], box, **options)
    assert labels[0, 1] == beside


@pytest.mark.parametrize("ids", [[1, 2], [2, 1]])
def test_of_equal_scores_the_first_lies_on_top(ids):
    first, second = ids
    assert merged(ids, [0.5, 0.5], overlap="score") == [first, first, first, second, second, 0]
    assert merged(ids, [0.5, 0.75], overlap="score") == [first, first, second, second, second, 0]
    assert merged(ids, [0.5, 0.5]) == [first, first, 255, second, second, 0]


@pytest.mark.parametrize("options", [{"overlap": "both"}, {"min_score": 1.01}, {"min_score": float("nan")}])
def test_values_outside_their_range(options):
    with pytest.raises(UsageError):
        merged([1, 1], [0.5, 0.5], **options)
