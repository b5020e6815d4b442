"""From maps to a label map: the order of the steps."""

import numpy as np
import pytest

from wsstool.errors import UsageError
from wsstool.masks.method import Method

MAPS = np.array([[[1.0, 0.4, 0.1]], [[0.0, 0.2, 0.2]]])


def test_background_comes_before_the_refiner_and_the_rule_sees_refined_scores():
    seen = []

    def refine(scores, image):
        seen.append(scores.copy())
        return scores[::-1]

    method = Method(refine=refine, background=9, threshold=0.3)
    labels = method.label_map(MAPS, np.array([4, 6]), (1, 3), np.zeros((1, 3, 3), np.uint8))
    np.testing.assert_allclose(seen[0][:, 0], [[0.3] * 3, [1, 0.4, 0.1], [0, 0.2, 0.2]], atol=1e-6)
    assert labels.tolist() == [[4, 4, 6]]


def test_a_background_channel_that_is_there_is_used_or_dropped():
    ids = np.array([0, 6])
    assert Method(background=0, threshold=1.0).label_map(MAPS, ids, (1, 3)).tolist() == [[0, 0, 6]]
    assert Method(forbidden=0).label_map(MAPS, ids, (1, 3)).tolist() == [[6, 6, 6]]


def test_without_maps_and_background_nothing_is_refined():
    def refine(scores, image):
        raise AssertionError

    labels = Method(refine=refine).label_map(np.zeros((0, 1, 1)), np.array([], int), (2, 2))
    assert (labels == 255).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": 2.0},
        {"threshold_low": 0.5},
        {"power": 0.0},
        {"ignore_margin": -0.1},
        {"ignore_below": 1.5},
    ],
)
def test_values_outside_their_range_are_refused(wrong):
    with pytest.raises(UsageError):
        Method(**wrong)


@pytest.mark.parametrize(
    ("background", "expected"),
    [(-1, [[4, 255, 6, 255]]), (9, [[4, 9, 6, 255]])],  # added: the strongest refined score wins
)
def test_weak_pixels_of_objects_are_ignored_and_those_of_the_background_stay(background, expected):
    def refine(scores, image):
        scores = scores.copy()
        scores[-1, :, 3] = 1  # a refiner that carries class 6 where no map is strong
        return scores

    maps = np.array([[[5.0, 1.0, 1.0, 0.0]], [[0.0, 0.5, 4.0, 0.5]]])
    method = Method(refine=refine, background=background, threshold=0.3, ignore_below=0.4)
    labels = method.label_map(maps, np.array([4, 6]), (1, 4), np.zeros((1, 4, 3), np.uint8))
    assert labels.tolist() == expected
