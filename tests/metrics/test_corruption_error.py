"""mCE, means over categories and retention, beside values computed by hand and published ones."""

import math

import numpy as np
import pytest

from wsstool.metrics.corruption_error import (
    ALEXNET,
    category_means,
    corruption_errors,
    mean_corruption_error,
    retention,
)


def accuracies(seed=0):
    return {
        n: np.random.default_rng([seed, i]).random(5).tolist() for i, n in enumerate([*ALEXNET, "saturate"])
    }


def test_alexnet_itself_is_one():
    accuracy = {name: [1 - error] * 5 for name, error in ALEXNET.items()}
    assert mean_corruption_error(accuracy) == pytest.approx(1)
    assert list(corruption_errors(accuracy).values()) == pytest.approx([1] * 15)


def test_the_mean_over_corruptions_and_severities_is_the_mean_of_ce():
    accuracy = accuracies()
    ratios = [(100 - 100 * top1) / (100 * error) for n, error in ALEXNET.items() for top1 in accuracy[n]]
    assert len(ratios) == 75
    assert mean_corruption_error(accuracy) == pytest.approx(np.mean(ratios), rel=1e-12)


def test_by_hand():
    accuracy = {name: [1.0] * 5 for name in ALEXNET} | {"fog": [0.9, 0.7, 0.5, 0.3, 0.1]}
    assert mean_corruption_error(accuracy) == pytest.approx(0.5 / 0.819324 / 15)


def test_the_four_without_a_reference_do_not_count():
    accuracy = accuracies()
    worse = accuracy | {"saturate": [0.0] * 5}
    assert mean_corruption_error(worse) == mean_corruption_error(accuracy)
    assert "saturate" not in corruption_errors(accuracy)


@pytest.mark.parametrize("left", [[], [0.5] * 4])
def test_an_incomplete_set_has_no_mce_but_the_errors_of_the_rest(left):
    accuracy = accuracies() | {"fog": left}
    assert math.isnan(mean_corruption_error(accuracy))
    assert corruption_errors(accuracy).keys() == ALEXNET.keys() - {"fog"}


def test_each_category_counts_the_same_whatever_its_size():
    scores = {"a": [0.2, 0.4], "b": [0.6, 0.8], "c": [1.0]}
    means = category_means(scores, {"one": ["a", "b"], "two": ["c", "d"], "three": ["d"]})
    assert means == pytest.approx({"one": 0.5, "two": 1.0})


@pytest.mark.parametrize(
    ("robust", "clean", "published"),
    [(58.2, 79.9, 72.8), (65.5, 83.4, 78.5), (68.2, 84.5, 80.7), (68.8, 84.7, 81.2)],
)
def test_retention_of_published_networks(robust, clean, published):
    assert 100 * retention(robust, clean) == pytest.approx(published, abs=0.05)


def test_retention_of_nothing_is_unknown():
    assert math.isnan(retention(0.0, 0.0))
