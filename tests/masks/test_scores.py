"""Normalisation, resizing, rules, background and ignore bands, on cases one can check on paper."""

import numpy as np
import pytest
import torch

from wsstool.errors import BadInputError, UsageError
from wsstool.masks.background import ThresholdFromScores, constant_background, power_background
from wsstool.masks.ignore import agreed, ignore_band, margin
from wsstool.masks.normalise import MODES, normalise
from wsstool.masks.resize import resize
from wsstool.masks.rules import argmax, threshold

MAPS = np.array([[[4.0, -2.0]], [[1.0, 2.0]]])


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("joint", [[1.0, 0.0], [0.25, 0.5]]),
        ("class", [[1.0, 0.0], [0.5, 1.0]]),
        ("minmax", [[1.0, 0.0], [0.5, 4 / 6]]),
        ("none", [[1.0, 0.0], [1.0, 1.0]]),
    ],
)
def test_normalisation_by_hand(mode, expected):
    np.testing.assert_allclose(normalise(MAPS, mode)[:, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("value", [0.0, -3.0, 1e-42])
def test_constant_stacks_without_anything_positive_give_zeros(mode, value):
    out = normalise(np.full((2, 3, 3), value), mode)
    assert np.isfinite(out).all() and out.max() <= 1e-40


@pytest.mark.parametrize("mode", MODES)
def test_normalised_maps_are_finite_float32_in_range(mode):
    maps = np.random.default_rng(0).normal(0, 1e4, (3, 5, 4)).astype(np.float16)
    out = normalise(maps, mode)
    assert out.dtype == np.float32 and out.min() >= 0 and out.max() <= 1
    assert normalise(np.zeros((0, 5, 4)), mode).shape == (0, 5, 4)


def test_nan_and_unknown_modes_are_refused():
    with pytest.raises(BadInputError, match="NaN"):
        normalise(np.array([[[np.nan]]]))
    with pytest.raises(UsageError, match="joint, class"):
        normalise(MAPS, "max")


@pytest.mark.parametrize("size", [(7, 5), (16, 33), (3, 2), (1, 1), (7, 9)])
def test_resizing_equals_torch(size):
    maps = np.random.default_rng(0).random((2, 7, 5), np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(maps)[None], size, mode="bilinear", align_corners=False
    )[0]
    np.testing.assert_allclose(resize(maps, size), expected.numpy(), atol=1e-6)


def test_equal_sizes_are_left_alone():
    maps = np.random.default_rng(0).random((2, 7, 5), np.float32)
    assert resize(maps, (7, 5)) is maps


def test_argmax_ties_go_to_the_first_channel():
    assert argmax(np.full((3, 1, 1), 0.5), [9, 4, 2]).tolist() == [[9]]


def test_threshold_limits():
    scores = np.array([[[0.0, 0.5, 1.0]]])
    assert threshold(scores, [3], 0, high=0.0, low=0.0).tolist() == [[3, 3, 3]]
    assert threshold(scores, [3], 0, high=1.0, low=1.0).tolist() == [[0, 0, 3]]
    assert threshold(scores, [3], 0, high=1.0, low=0.0).tolist() == [[255, 255, 3]]
    assert threshold(scores, [3], -1, high=1.0, low=1.0).tolist() == [[255, 255, 3]]
    with pytest.raises(UsageError):
        threshold(scores, [3], 0, high=0.2, low=0.3)


def test_threshold_does_not_look_at_the_background_channel():
    scores = np.array([[[0.9, 0.9]], [[0.8, 0.01]]])
    assert threshold(scores, [0, 5], 0).tolist() == [[5, 0]]


def test_background_limits():
    scores = np.array([[[0.0, 0.4, 1.0]]], np.float32)
    ids = [0, 1]
    assert argmax(constant_background(scores, 0.0), ids).tolist() == [[0, 1, 1]]
    assert argmax(constant_background(scores, 1.0), ids).tolist() == [[0, 0, 0]]
    assert argmax(constant_background(np.zeros((0, 1, 3)), 0.5), [0]).tolist() == [[0, 0, 0]]
    assert argmax(power_background(scores, 1e-6), ids).tolist() == [[0, 0, 1]]
    assert argmax(power_background(scores, 1.0), ids).tolist() == [[0, 0, 1]]
    assert argmax(power_background(scores, 64.0), ids).tolist() == [[0, 1, 1]]
    for bad in (lambda: constant_background(scores, 1.5), lambda: power_background(scores, 0)):
        with pytest.raises(UsageError):
            bad()


def test_the_chosen_threshold_parts_two_heaps_and_ignores_clipped_zeros():
    rng = np.random.default_rng(0)
    low, high = rng.normal(0.1, 0.03, 3000).clip(0.01, 1), rng.normal(0.7, 0.1, 1000).clip(0, 1)
    plain, padded = ThresholdFromScores(), ThresholdFromScores()
    plain.add(np.concatenate([low, high])[None, None])
    padded.add(np.concatenate([low, high, np.zeros(9000)])[None, None])
    assert 0.2 < plain.threshold() < 0.5
    assert plain.threshold() == padded.threshold()


def test_the_chosen_threshold_minimises_the_cross_entropy():
    values = np.random.default_rng(3).beta(0.8, 2.0, 5000)
    rule = ThresholdFromScores()
    rule.add(values[None, None])
    candidates = np.linspace(0.02, 0.9, 400)

    def cross_entropy(t):
        below, above = values[values < t], values[values >= t]
        return -below.sum() * np.log(below.mean()) - above.sum() * np.log(above.mean())

    best = candidates[np.argmin([cross_entropy(t) for t in candidates])]
    assert abs(rule.threshold() - best) < 0.02


def test_every_image_counts_the_same_and_shards_add_up():
    small, large = np.array([[[0.1, 0.9]]]), np.tile(np.array([[[0.1, 0.9]]]), (1, 50, 50))
    whole, one, two = (ThresholdFromScores() for _ in range(3))
    for rule in (whole, one):
        rule.add(small)
    for rule in (whole, two):
        rule.add(large)
    one.merge([two])
    assert one.threshold() == whole.threshold()


def test_a_set_without_scores_has_no_threshold():
    rule = ThresholdFromScores()
    rule.add(np.zeros((2, 3, 3)))
    rule.add(np.zeros((0, 3, 3)))
    with pytest.raises(UsageError, match="background-threshold"):
        rule.threshold()
    rule.add(np.full((1, 2, 2), 0.5))
    assert rule.threshold() == pytest.approx(0.5, abs=0.01)


def test_ignore_band_by_hand():
    scores = np.array([[[0.9, 0.5]], [[0.1, 0.4]], [[0.2, 0.1]]])
    labels = np.array([[1, 1]], np.uint8)
    np.testing.assert_allclose(margin(scores), [[0.7, 0.1]], atol=1e-6)
    assert ignore_band(labels, scores, 0.0) is labels
    assert ignore_band(labels, scores, 0.2).tolist() == [[1, 255]]
    assert ignore_band(labels, scores, 1.0).tolist() == [[255, 255]]
    exactly = np.array([[[0.75, 0.75]], [[0.25, 0.5]]])
    assert ignore_band(labels, exactly, 0.5).tolist() == [[1, 255]]  # a margin of 0.5 is wide enough
    np.testing.assert_allclose(margin(scores[:1]), scores[0], rtol=1e-6)
    with pytest.raises(UsageError):
        ignore_band(labels, scores, 2.0)


def test_two_passes_agree_on_objects_of_the_first_and_background_of_both():
    first, second = np.uint8([[0, 0, 2, 255]]), np.uint8([[0, 3, 3, 0]])
    assert agreed(first, second, 0).tolist() == [[0, 255, 2, 255]]
