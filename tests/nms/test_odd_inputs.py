"""NaN, inverted, empty, far-away, many: defined, and never silently wrong."""

import numpy as np
import pytest
import torch
import torchvision

from tests.nms.boxes import detections
from wsstool.errors import UsageError
from wsstool.nms import run
from wsstool.registry import NMS

PAIR = np.array([[0, 0, 10, 10], [0, 0, 10, 8.0]])


@pytest.mark.parametrize(
    ("boxes", "scores", "what"),
    [
        (PAIR, [0.9, np.nan], "box 1 has the score nan"),
        (PAIR, [np.inf, 0.5], "box 0 has the score inf"),
        ([[0, 0, 10, np.nan], [0, 0, 10, 8]], [0.9, 0.8], "box 0 has the coordinates"),
        ([[0, 0, 10, 10], [10, 0, 0, 8]], [0.9, 0.8], "box 1 has inverted corners"),
    ],
)
def test_invalid_boxes_are_an_error_or_left_out(boxes, scores, what):
    with pytest.raises(ValueError, match=what):
        run(boxes, scores)
    found = run(boxes, scores, invalid="drop")
    bad = int(what.split()[1])
    assert found.keep.tolist() == [1 - bad]
    assert found.cluster[bad] == -1 and found.cluster[1 - bad] == 0


def test_one_nan_box_does_not_wipe_out_the_others():
    boxes, scores, _ = detections(0)
    expected = run(boxes[1:], scores[1:]).keep + 1
    boxes[0] = np.nan
    np.testing.assert_array_equal(run(boxes, scores, invalid="drop").keep, expected)


@pytest.mark.parametrize("method", NMS.names())
def test_boxes_without_area_overlap_nothing_and_make_no_nan(method):
    boxes = np.array([[5, 5, 5, 5], [5, 5, 5, 5], [0, 3, 10, 3], [0, 0, 10, 10.0]])
    more = {"localisation": np.linspace(1, 0.1, 4), "std": np.ones((4, 4)), "density": np.zeros(4)}
    found = run(boxes, [0.9, 0.8, 0.7, 0.6], method=method, **more)
    assert np.isfinite(found.boxes).all() and np.isfinite(found.scores).all()
    assert len(found) == 4


@pytest.mark.parametrize("kernel", ["linear", "gaussian"])
def test_matrix_of_three_identical_boxes(kernel):
    found = run(np.tile([[0, 0, 10, 10.0]], (3, 1)), [0.9, 0.8, 0.7], method="matrix", kernel=kernel)
    assert np.isfinite(found.scores).all() and found.scores[0] == 0.9
    assert found.scores[1] <= 0.8 * np.exp(-2.0) + 1e-12


def test_negative_coordinates_keep_classes_apart():
    boxes = np.array([[-100, -100, -1, -1], [-100, -100, -1, -1]], np.float32)
    scores, labels = np.array([0.9, 0.8], np.float32), np.array([0, 1])
    wrong = torchvision.ops.batched_nms(*map(torch.from_numpy, (boxes, scores, labels)), 0.5)
    assert wrong.tolist() == [0]  # the offset between classes is the largest coordinate plus 1: here 0
    assert run(boxes, scores, labels=labels).keep.tolist() == [0, 1]


@pytest.mark.parametrize("label", [100_000, 1_000_000, 2**40])
def test_huge_class_ids_swallow_no_coordinates(label):
    boxes = np.array([[1000.1, 1000.1, 1001.1, 1001.1], [1000.4, 1000.4, 1001.4, 1001.4]], np.float32)
    scores, labels = np.array([0.9, 0.8], np.float32), np.array([label, label])
    assert run(boxes, scores, labels=labels, iou_threshold=0.3).keep.tolist() == [0]
    assert run(boxes, scores, labels=[label, label - 1], iou_threshold=0.3).keep.tolist() == [0, 1]
    assert run(boxes, scores, labels=[-label, label], iou_threshold=0.3).keep.tolist() == [0, 1]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int32, torch.uint8, torch.float64])
def test_any_number_type(dtype):
    boxes = torch.tensor([[0, 0, 10, 10], [0, 0, 10, 8], [20, 20, 30, 30]]).to(dtype)
    found = run(boxes, torch.tensor([0.9, 0.8, 0.7], dtype=torch.float64))
    assert found.keep.tolist() == [0, 2]
    assert run(np.asarray(boxes.double()).astype(np.float16), np.float16([0.9, 0.8, 0.7])).keep.tolist() == [
        0,
        2,
    ]


def test_large_offsets_and_scales():
    boxes, scores, labels = detections(1)
    expected = run(boxes.astype(np.float64), scores, labels=labels).keep
    for scale, shift in ((1e-6, 0), (1.0, -1e6), (1e6, 1e9)):
        moved = boxes.astype(np.float64) * scale + shift
        assert len(set(run(moved, scores, labels=labels).keep) ^ set(expected)) <= 2


def test_one_giant_box_among_many():
    boxes, scores, _ = detections(2, n=2000, objects=200, side=2000)
    boxes[7] = [-1e6, -1e6, 1e6, 1e6]
    expected = torchvision.ops.nms(torch.from_numpy(boxes), torch.from_numpy(scores), 0.5)
    np.testing.assert_array_equal(run(boxes, scores).keep, expected.numpy())


def test_all_boxes_the_same():
    boxes = np.tile(np.array([[3, 4, 50, 60]], np.float32), (20_000, 1))
    found = run(boxes, np.linspace(0.1, 1, 20_000, dtype=np.float32))
    assert found.keep.tolist() == [19_999] and (found.cluster == 0).all()


@pytest.mark.slow
def test_a_million_boxes():
    boxes, scores, labels = detections(3, n=1_000_000, objects=100_000, side=60_000, classes=80)
    found = run(boxes, scores, labels=labels)
    some = np.flatnonzero(
        (boxes[:, 0] < 3000) & (boxes[:, 1] < 3000)
    )  # a corner of it, checked by torchvision
    inside = some[(boxes[some, 2] < 2800) & (boxes[some, 3] < 2800)]
    expected = torchvision.ops.batched_nms(
        *(torch.from_numpy(x[some]) for x in (boxes, scores, labels)), 0.5
    ).numpy()
    assert set(found.keep) & set(inside) == set(some[expected]) & set(inside)


class TestArguments:
    def test_missing_columns_say_what_is_needed(self):
        for method, name in (
            ("iou-guided", "localisation"),
            ("variance-voting", "std"),
            ("adaptive", "density"),
        ):
            with pytest.raises(ValueError, match=f"needs the column '{name}'"):
                run(PAIR, [0.9, 0.8], method=method)

    def test_lengths_and_shapes(self):
        for bad in (
            lambda: run(PAIR, [0.9]),
            lambda: run(PAIR[:, :3], [0.9, 0.8]),
            lambda: run(PAIR, [0.9, 0.8], labels=[1]),
            lambda: run(PAIR, [0.9, 0.8], labels=[1, 0.5]),
            lambda: run(PAIR, [0.9, 0.8], method="variance-voting", std=[1, 1]),
            lambda: run(PAIR, ["a", "b"]),
        ):
            with pytest.raises(ValueError):
                bad()

    @pytest.mark.parametrize(
        "options",
        [
            {"method": "soft", "sigma": 0.0},
            {"method": "soft", "kernel": "cubic"},
            {"method": "diou", "beta": -1.0},
            {"method": "weighted", "join": "last"},
            {"method": "cluster", "penalty": "much"},
            {"method": "matrix", "kernel": "x"},
            {"method": "voting", "score_rule": "sum"},
            {"method": "fusion", "model_weights": (1.0, 0.0)},
            {"method": "adaptive", "kernel": "x", "density": [0, 0]},
            {"method": "variance-voting", "std": [[0, 1, 1, 1]] * 2},
            {"measure": "area"},
            {"invalid": "keep"},
            {"iou_threshold": float("nan")},
            {"top_after": -1},
        ],
    )
    def test_values(self, options):
        with pytest.raises(ValueError):
            run(PAIR, [0.9, 0.8], **options)

    def test_unknown_method(self):
        with pytest.raises(UsageError, match="greedy"):
            run(PAIR, [0.9, 0.8], method="hungry")

    def test_negative_scores(self):
        assert run(PAIR, [-1.0, -2.0]).keep.tolist() == [0]
        with pytest.raises(ValueError, match="scores of 0 or more"):
            run(PAIR, [-1.0, -2.0], method="soft")


class TestGates:
    def test_score_threshold_holds_the_score_itself(self):
        found = run(PAIR, [0.5, 0.4], score_threshold=0.5, iou_threshold=0.9)
        assert found.keep.tolist() == [0] and found.cluster.tolist() == [0, -1]

    def test_top_before_and_after(self):
        boxes, scores, labels = detections(4)
        images = np.arange(len(boxes)) % 4
        found = run(boxes, scores, labels=labels, groups=images, top_before=5, top_after=3)
        assert (np.bincount(images[found.keep]) <= 3).all()
        used = found.cluster >= 0
        assert np.unique(np.stack([images, labels])[:, used], axis=1, return_counts=True)[1].max() <= 5
        whole = run(boxes, scores, labels=labels, groups=images)
        best = [k for k in whole.keep if images[k] == 0][:3]
        fewer = run(boxes, scores, labels=labels, groups=images, top_after=3)
        assert [k for k in fewer.keep if images[k] == 0] == best

    def test_measures(self):
        inside = [[0, 0, 10, 10], [2, 2, 5, 5.0]]
        assert run(inside, [0.9, 0.8]).keep.tolist() == [0, 1]
        assert run(inside, [0.9, 0.8], measure="ios").keep.tolist() == [0]
        apart = [[0, 0, 10, 10], [11, 0, 21, 10.0]]
        assert run(apart, [0.9, 0.8], measure="giou", iou_threshold=-0.5).keep.tolist() == [0]
        assert run(apart, [0.9, 0.8], measure="diou", iou_threshold=-0.5).keep.tolist() == [0]


def test_no_masks_give_an_empty_result():
    found = run(np.zeros((0, 9, 9), bool), [])
    assert len(found) == 0 and found.cluster.shape == (0,)
