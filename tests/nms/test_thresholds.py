"""Exactly at a threshold or at a floor, for every rule; where a suppressed box went; published defaults."""

import inspect

import numpy as np
import pytest

from wsstool.nms import Regions, run
from wsstool.nms.methods.adaptive import estimated_density
from wsstool.registry import NMS

HALF = np.array([[0, 0, 10, 10], [0, 2.5, 10, 7.5]])
"""Two boxes around one centre, so that IoU and DIoU are exactly 0.5."""

COLUMNS = {"localisation": [1.0, 0.5], "std": np.ones((2, 4)), "density": [0.0, 0.0]}

WITH_A_THRESHOLD = {"soft": {"kernel": "linear"}, "variance-voting": {"kernel": "hard"}}
"""Options under which the overlap is compared with ``iou_threshold``, where the defaults do not do it."""


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", NMS.names())
def test_an_overlap_equal_to_the_threshold(method, dtype):
    """It suppresses with ``inclusive``, and without it in ``adaptive`` alone."""

    def suppresses(threshold: float, inclusive: bool | None) -> bool:
        own = {**COLUMNS, **WITH_A_THRESHOLD.get(method, {})}
        scores = np.array([1, 0.5], dtype)
        found = run(
            HALF.astype(dtype), scores, method=method, iou_threshold=threshold, inclusive=inclusive, **own
        )
        return found.scores.tolist() != [1, 0.5]

    assert suppresses(0.5, True) and not suppresses(0.5, False)
    assert suppresses(0.5, None) == (method == "adaptive")
    for inclusive in (True, False):
        assert suppresses(0.499, inclusive) and not suppresses(0.501, inclusive)


def test_votes_at_the_threshold():
    """Both rules with a threshold for averaging: ``voting`` counts equality, ``cluster`` does not."""

    def moves(inclusive: bool | None, **own) -> bool:
        boxes = [[0, 0, 10, 10], [0, 0, 10, 5]]
        return run(boxes, [1, 0.5], iou_threshold=0.4, inclusive=inclusive, **own).boxes[0, 3] < 10

    voting = {"method": "voting", "vote_threshold": 0.5}
    assert [moves(one, **voting) for one in (None, True, False)] == [True, True, False]
    averages = {"method": "cluster", "average": True, "average_threshold": 0.5}
    assert [moves(one, **averages) for one in (None, True, False)] == [False, True, False]


WITH_A_FLOOR = {
    "soft": {},
    "variance-voting": {},
    "adaptive": {"kernel": "gaussian"},
    "cluster": {"penalty": "spm"},
    "matrix": {},
}


@pytest.mark.parametrize("method", NMS.names())
def test_a_score_equal_to_the_floor(method):
    """It stays, but for ``cluster``, whose authors drop it."""

    def stays(**options) -> bool:
        apart = [[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]]
        columns = {"localisation": [1.0, 0.5, 0.2], "std": np.ones((3, 4)), "density": np.zeros(3)}
        keep = run(apart, [1, 0.25, 0.125], method=method, **columns, **options).keep.tolist()
        assert keep in ([0], [0, 1], [0, 1, 2])
        return 1 in keep

    assert stays(score_threshold=0.25) and not stays(score_threshold=0.251)
    takes_a_floor = "score_floor" in inspect.signature(NMS.load(method)).parameters
    assert takes_a_floor == (method in WITH_A_FLOOR)
    if takes_a_floor:
        own = WITH_A_FLOOR[method]
        assert stays(score_floor=0.25, **own) == (method != "cluster")
        assert stays(score_floor=0.249, **own)
        assert stays(score_floor=0.251, **own) == (method == "variance-voting")  # if no pick overlaps it


@pytest.mark.parametrize(
    ("method", "own"),
    [
        ("soft", {"score_floor": 0.5}),
        ("variance-voting", {"score_floor": 0.5, "std": np.ones((3, 4))}),
        ("adaptive", {"kernel": "gaussian", "score_floor": 0.5, "density": np.zeros(3)}),
        ("matrix", {"score_floor": 0.5}),
        ("fast", {}),
        ("cluster", {"penalty": "spm", "score_floor": 0.5}),
    ],
)
def test_without_a_named_suppressor_a_box_belongs_to_the_kept_one_that_it_overlaps_most(method, own):
    boxes = [[0, 0, 10, 10], [8, 0, 18, 10], [6, 0, 16, 10]]  # the third: IoU 0.25 and 0.67
    found = run(boxes, [0.9, 0.8, 0.7], method=method, **own)
    assert found.keep.tolist() == [0, 1]
    assert found.cluster.tolist() == [0, 1, 1]


SOFT = {"sigma": 0.5, "score_floor": 0.001}
PUBLISHED = {
    "greedy": {"iou_threshold": 0.5},
    "soft": {"iou_threshold": 0.3, "kernel": "gaussian", **SOFT},
    "weighted": {"iou_threshold": 0.5, "join": "best"},
    "iou-guided": {"iou_threshold": 0.5},
    "variance-voting": {
        "iou_threshold": 0.5,
        "kernel": "gaussian",
        **SOFT,
        "sigma_t": 0.02,
        "vote_threshold": 0.01,
        "weights": "variance",
    },
    "adaptive": {"iou_threshold": 0.5, "kernel": "hard", **SOFT, "estimate_density": False},
    "diou": {"iou_threshold": 0.5, "beta": 1.0},
    "fast": {"iou_threshold": 0.5},
    "cluster": {
        "iou_threshold": 0.5,
        "penalty": "none",
        "sigma": 0.2,
        "beta": 0.6,
        "score_floor": 0.01,
        "average": False,
        "average_threshold": 0.8,
    },
    "matrix": {"iou_threshold": 0.0, "kernel": "gaussian", "sigma": 2.0, "score_floor": 0.0},
    "voting": {
        "iou_threshold": 0.5,
        "vote_threshold": 0.8,
        "score_rule": "id",
        "beta": 1.0,
        "vote_plus_one": False,
    },
    "fusion": {"iou_threshold": 0.55, "score_rule": "avg", "model_weights": (), "overflow": False},
}
"""What the papers, or the code of their authors, use."""


def test_defaults_are_the_published_ones():
    found = {
        name: {
            option.name: option.default
            for option in inspect.signature(NMS.load(name)).parameters.values()
            if option.kind is option.KEYWORD_ONLY
        }
        for name in NMS.names()
    }
    assert found == PUBLISHED


@pytest.mark.parametrize(
    ("width", "density"),
    [(79, [0.79, 0.79, 0.25]), (81, [0.25, 0.25, 0.25])],
    ids=["two objects", "one object found twice"],
)
def test_density_is_the_largest_overlap_with_another_object(width, density):
    """Boxes with an IoU above 0.8 are one object."""
    boxes = np.array([[0, 0, 100, 10], [0, 0, width, 10], [60, 0, 160, 10]], float)
    found = estimated_density(Regions.of(boxes), np.array([0.9, 0.8, 0.7]))
    np.testing.assert_allclose(found, density)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_estimated_density_suppresses_only_the_nearest_object(dtype):
    """IoU .6 with the box on the right, 7/13 with the one on the left: greedy NMS at .5 drops both."""
    boxes = np.array([[0, 0, 100, 10], [25, 0, 125, 10], [-30, 0, 70, 10]], dtype)
    scores = np.array([0.9, 0.8, 0.7], dtype)
    estimated = run(boxes, scores, method="adaptive", iou_threshold=0.5, estimate_density=True)
    assert estimated.keep.tolist() == [0, 2]
    assert run(boxes, scores, iou_threshold=0.5).keep.tolist() == [0]
    stated = {"method": "adaptive", "iou_threshold": 0.5}
    assert run(boxes, scores, **stated, density=np.full(3, 0.61)).keep.tolist() == [0, 1, 2]
