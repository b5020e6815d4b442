"""Variance voting against its definition: who votes, and when a box below the score floor is dropped."""

import numpy as np
import pytest

from tests.nms.boxes import detections
from wsstool.nms import run


def iou(a: np.ndarray, b: np.ndarray) -> float:
    width, height = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)


def by_definition(boxes, scores, std, kernel, floor, sigma=0.5, sigma_t=0.02, above=0.01):
    """One pick after the other: those that are left vote, those that it touches are decayed and judged."""
    left, current, found = list(range(len(boxes))), np.array(scores, float), {}
    while left:
        pick = max(left, key=lambda k: (current[k], -k))
        overlaps = {k: iou(boxes[pick], boxes[k]) for k in left if k != pick}
        voters = [pick, *(k for k, value in overlaps.items() if value > above)]
        near = np.array([1.0, *(np.exp(-((1 - overlaps[k]) ** 2) / sigma_t) for k in voters[1:])])
        weights = near[:, None] / std[voters] ** 2
        found[pick] = (weights * boxes[voters]).sum(0) / weights.sum(0)
        left.remove(pick)
        for k, value in overlaps.items():
            if value > 0:
                current[k] *= np.exp(-(value**2) / sigma) if kernel == "gaussian" else float(value <= 0.5)
                if current[k] < floor:
                    left.remove(k)
    return found


@pytest.mark.parametrize("kernel", ["gaussian", "hard"])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("floor", [0.001, 0.3])
def test_the_definition(kernel, seed, floor):
    boxes, scores, _ = detections(seed, n=150, objects=12, side=300)
    boxes, scores = np.asarray(boxes, np.float64), np.asarray(scores, np.float64)
    std = np.random.default_rng(seed).uniform(0.5, 2, (len(boxes), 4))
    assert (scores < 0.3).any() and (scores > 0.3).any()
    expected = by_definition(boxes, scores, std, kernel, floor)
    found = run(boxes, scores, method="variance-voting", kernel=kernel, std=std, score_floor=floor)
    assert set(found.keep) == set(expected)
    for k, box in zip(found.keep, found.boxes, strict=True):
        np.testing.assert_allclose(box, expected[k], rtol=1e-5)


PICKS = np.array([[0, 0, 10, 10], [100, 100, 110, 110]], np.float64)
LOW = PICKS + np.array([0, 0, 1, 1])


def refined(boxes, scores, **options):
    std = np.ones((len(boxes), 4))
    found = run(np.array(boxes, np.float64), scores, method="variance-voting", std=std, **options)
    return dict(zip(found.keep.tolist(), found.boxes.tolist(), strict=True))


@pytest.mark.parametrize("kernel", ["gaussian", "hard"])
def test_an_unrelated_box_changes_nothing(kernel):
    """A bridge joins both groups to one island, but overlaps their boxes by a corner only."""
    boxes, scores = [PICKS[0], LOW[0], PICKS[1], LOW[1]], [0.9, 1e-4, 0.8, 1e-4]
    alone = refined(boxes, scores, kernel=kernel)
    bridge = [9.9, 9.9, 100.1, 100.1]
    with_bridge = refined([*boxes, bridge], [*scores, 0.5], kernel=kernel, vote_threshold=0.01)
    assert alone[0] != PICKS[0].tolist() and alone[2] != PICKS[1].tolist()  # the low boxes vote
    assert {k: with_bridge[k] for k in alone} == alone


@pytest.mark.parametrize("kernel", ["gaussian", "hard"])
@pytest.mark.parametrize("weights", ["variance", "deviation"])
def test_an_isolated_box_below_the_floor_stays(kernel, weights):
    """The published program tests the floor only where a pick overlaps a box; of two weak ones, the worse."""
    boxes = [[0, 0, 10, 10], [50, 0, 60, 10], [52, 0, 62, 10], [80, 0, 90, 10]]
    found = refined(boxes, [0.9, 1e-5, 1e-4, 0.0], kernel=kernel, weights=weights, sigma_t=1.0)
    assert list(found) == [0, 2, 3] and found[3] == boxes[3]
    assert boxes[1][0] < found[2][0] < boxes[2][0]  # the dropped one votes


def test_a_box_below_the_floor_votes_once():
    """It overlaps two picks: the first one that touches it has its vote, and drops it."""
    low = [4, 0, 14, 10]
    boxes, scores = [[0, 0, 10, 10], low, [8, 0, 18, 10]], [0.9, 1e-4, 0.8]
    found = refined(boxes, scores, sigma_t=1.0)
    without = refined([boxes[0], boxes[2]], [0.9, 0.8], sigma_t=1.0)
    assert found[0] != without[0] and found[2] == without[1] and 1 not in found
