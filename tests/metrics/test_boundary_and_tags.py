"""Boundary IoU against repeated erosion, and tag scores against torchmetrics."""

import math

import numpy as np
import pytest

from wsstool.metrics.boundary import BoundaryCounts, boundary
from wsstool.metrics.classification import (
    average_precision,
    classification_scores,
    exact_match,
    mean_jaccard,
)


def eroded_boundary(mask: np.ndarray, distance: int) -> np.ndarray:
    ndimage = pytest.importorskip("scipy.ndimage")
    return mask & ~ndimage.binary_erosion(mask, np.ones((3, 3)), iterations=distance, border_value=0)


@pytest.mark.parametrize("distance", [1, 2, 5, 30])
def test_boundary_is_mask_minus_eroded_mask(distance):
    small = np.random.default_rng(0).integers(0, 4, (5, 7), dtype=np.uint8)
    labels = np.kron(small, np.ones((9, 8), np.uint8))
    edge = boundary(labels, distance)
    for c in range(4):
        assert (edge & (labels == c) == eroded_boundary(labels == c, distance)).all()


def test_boundary_iou_is_that_of_each_class():
    rng = np.random.default_rng(1)
    pairs = [
        tuple(np.kron(rng.integers(0, 3, (4, 5), dtype=np.uint8), np.ones((13, 11), np.uint8)) for _ in "pt")
        for _ in range(3)
    ]
    counts, parts = BoundaryCounts(4), [BoundaryCounts(4), BoundaryCounts(4)]
    both, either = np.zeros(4), np.zeros(4)
    distance = round(0.02 * math.hypot(52, 55))
    for i, (prediction, truth) in enumerate(pairs):
        counts.update(prediction, truth)
        parts[i % 2].update(prediction, truth)
        for c in range(3):
            a, b = eroded_boundary(prediction == c, distance), eroded_boundary(truth == c, distance)
            both[c] += (a & b).sum()
            either[c] += (a | b).sum()
    result = counts.result()
    assert result.iou[:3] == pytest.approx(both[:3] / either[:3])
    assert math.isnan(result.iou[3])
    assert result.mean_iou == pytest.approx(np.mean(both[:3] / either[:3]))
    parts[0].merge(parts[1])
    assert parts[0].result().iou == pytest.approx(result.iou, nan_ok=True)


@pytest.mark.parametrize(("side", "width"), [(20, 1), (53, 1), (54, 2), (200, 6)])
def test_the_boundary_is_a_fiftieth_of_the_diagonal_wide_and_at_least_a_pixel(side, width):
    counts = BoundaryCounts(1)
    counts.update(np.zeros((side, side), np.uint8), np.zeros((side, side), np.uint8))
    assert counts.truth.tolist() == [side**2 - (side - 2 * width) ** 2]


def test_void_makes_no_boundary():
    truth = np.zeros((60, 60), np.uint8)
    truth[20:40, 20:40] = 255
    assert not boundary(truth, 2)[2:-2, 2:-2].any()
    counts = BoundaryCounts(2)
    counts.update(np.zeros_like(truth), truth)
    assert counts.result().iou[0] == 1


@pytest.mark.filterwarnings("ignore")
def test_average_precision_equals_torchmetrics():
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchmetrics.functional.classification")
    rng = np.random.default_rng(0)
    labels, scores = (
        rng.random((50, 4)) < 0.3,
        np.round(rng.random((50, 4)), 1).astype(np.float32),
    )  # with ties
    expected = functional.multilabel_average_precision(
        torch.from_numpy(scores), torch.from_numpy(labels.astype(np.int64)), 4, average="none"
    )
    ours = classification_scores(labels, scores)
    assert ours.average_precision == pytest.approx(expected.numpy(), abs=1e-6)
    exact = functional.multilabel_exact_match(
        torch.from_numpy(scores), torch.from_numpy(labels.astype(np.int64)), 4, threshold=0.4999
    )
    assert ours.exact_match == pytest.approx(float(exact))


def test_tag_scores_on_paper():
    labels = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0]])
    scores = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.6], [0.1, 0.1, 0.1]])
    ours = classification_scores(labels, scores)
    assert ours.average_precision[:2].tolist() == [1, 1] and math.isnan(ours.average_precision[2])
    assert ours.exact_match == pytest.approx(2 / 3)
    assert ours.jaccard == pytest.approx((1 + 1 / 3 + 1) / 3)
    assert math.isnan(average_precision(np.zeros(2, bool), np.zeros(2)))
    assert exact_match(labels, scores > 0.85) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="labels have shape"):
        classification_scores(labels[:2], scores)


def test_overlap_of_sets_by_hand():
    labels = np.array([[1, 1, 0], [0, 0, 0], [1, 0, 0], [0, 0, 0]])
    predicted = np.array([[1, 0, 1], [0, 0, 0], [1, 0, 0], [0, 1, 0]])
    assert mean_jaccard(labels, predicted) == pytest.approx((1 / 3 + 1 + 1 + 0) / 4)
    assert math.isnan(mean_jaccard(labels[:0], predicted[:0]))
    assert math.isnan(exact_match(labels[:0], predicted[:0]))
