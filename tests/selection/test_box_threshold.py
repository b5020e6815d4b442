"""The threshold of object maps that is chosen from boxes."""

import numpy as np
import pytest

from wsstool.errors import BadInputError
from wsstool.metrics.sweep import object_overlaps
from wsstool.selection.box_threshold import LEVELS, ThresholdFromBoxes, box_fits
from wsstool.selection.confidence import box_fit


def test_fits_are_those_of_the_masks_at_each_level():
    rng = np.random.default_rng(0)
    for _ in range(20):
        prior = (rng.random((9, 13)) ** 6).astype(np.float32)
        box = np.array([2.3, 1.2, 9.8, 7.4])
        expected = [box_fit((prior >= np.float32(level)).astype(np.uint8), box) for level in LEVELS]
        np.testing.assert_allclose(box_fits(prior, box), expected)


def cone(radius: float, sharpness: float) -> np.ndarray:
    """A map of a disc: 0.5 on its border."""
    rows, columns = np.mgrid[-20:21, -20:21]
    return 1 / (1 + np.exp(sharpness * (np.hypot(rows, columns) - radius)))


@pytest.mark.parametrize("shift", [-0.3, -0.1, 0.2])
def test_maps_that_are_too_low_or_too_high_get_another_threshold(shift):
    rule = ThresholdFromBoxes()
    for radius in (8, 11, 14):
        rule.add((cone(radius, 0.8) + shift).clip(0, 1), np.array([20 - radius] * 2 + [21 + radius] * 2))
    assert 0.31 < rule.threshold() - shift < 0.5 + 1e-6  # at 0.31 it is a pixel larger on every side


def test_shares_of_the_maximum():
    box, prior = np.array([10, 10, 31, 31]), cone(10, 0.8)
    whole, half = ThresholdFromBoxes(relative=True), ThresholdFromBoxes(relative=True)
    whole.add(prior, box)
    half.add(prior / 2, box)
    assert whole.threshold() == half.threshold()


def test_order_does_not_matter_and_empty_maps_do_not_count():
    one, other = ThresholdFromBoxes(), ThresholdFromBoxes()
    parts = [(cone(r, 0.5), np.array([20.5 - r, 20.5 - r, 20.5 + r, 20.5 + r])) for r in (5, 9, 13)]
    empty = np.full((41, 41), np.nan), parts[0][1]
    for part in (*parts, empty):
        one.add(*part)
    for part in reversed(parts):
        other.add(*part)
    assert one.threshold() == other.threshold()
    nothing = ThresholdFromBoxes()
    nothing.add(*empty)
    with pytest.raises(BadInputError, match="--threshold"):
        nothing.threshold()


def test_overlaps_are_those_of_the_masks_at_each_level():
    rng = np.random.default_rng(1)
    prior, truth = rng.random((7, 9)).astype(np.float32), rng.random((7, 9)) > 0.4
    prior[0, 0], area = np.nan, int(truth.sum()) + 5
    for level, iou in zip(LEVELS, object_overlaps(prior, truth, area, LEVELS), strict=True):
        hot = prior >= np.float32(level)
        assert iou == pytest.approx((hot & truth).sum() / (hot.sum() + area - (hot & truth).sum()))
