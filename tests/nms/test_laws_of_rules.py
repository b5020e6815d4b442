"""Limits, equalities between rules, and slow references."""

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.nms.boxes import detections, slow_greedy, slow_soft
from wsstool.nms import run
from wsstool.nms.engine import decay, suppression
from wsstool.nms.engine import stepwise as staged
from wsstool.nms.engine.factor import Factor
from wsstool.nms.engine.islands import islands
from wsstool.nms.shapes import AxisAligned


@st.composite
def scenes(draw):
    """Boxes on a coarse grid, so that ties, touching sides and duplicates are common."""
    n = draw(st.integers(0, 24))
    numbers = st.integers(0, 12)
    rows = draw(st.lists(st.tuples(numbers, numbers, numbers, numbers), min_size=n, max_size=n))
    boxes = np.array([[min(a, c), min(b, d), max(a, c), max(b, d)] for a, b, c, d in rows], np.float64)
    scores = np.array(draw(st.lists(st.sampled_from([0.1, 0.3, 0.5, 0.9]), min_size=n, max_size=n)))
    labels = np.array(draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)), np.int64)
    return boxes.reshape(-1, 4), scores, labels


@settings(max_examples=150, deadline=None)
@given(scenes(), st.sampled_from([0.0, 0.2, 0.5, 0.75]))
def test_greedy_is_the_loop(scene, threshold):
    boxes, scores, labels = scene
    found = run(boxes, scores, labels=labels, iou_threshold=threshold)
    assert found.keep.tolist() == slow_greedy(boxes, scores, labels, threshold)


@settings(max_examples=60, deadline=None)
@given(scenes())
def test_soft_is_the_loop(scene):
    boxes, scores, labels = scene
    for kernel, factor in (
        ("gaussian", lambda x: np.exp(-x * x / 0.5)),
        ("linear", lambda x: 1 - x if x > 0.3 else 1.0),
    ):
        found = run(boxes, scores, labels=labels, method="soft", kernel=kernel, iou_threshold=0.3)
        keep, got = slow_soft(boxes, scores, labels, factor, 0.001)
        np.testing.assert_allclose(found.scores, sorted(got, reverse=True), rtol=1e-9)
        assert set(found.keep) == set(keep)


@settings(max_examples=60, deadline=None)
@given(scenes(), st.sampled_from([0.2, 0.5]))
def test_cluster_nms_ends_at_greedy_and_fast_removes_more(scene, threshold):
    boxes, scores, labels = scene
    greedy = run(boxes, scores, labels=labels, iou_threshold=threshold)
    cluster = run(boxes, scores, labels=labels, iou_threshold=threshold, method="cluster")
    fast = run(boxes, scores, labels=labels, iou_threshold=threshold, method="fast")
    np.testing.assert_array_equal(cluster.keep, greedy.keep)
    assert set(fast.keep) <= set(greedy.keep)


@pytest.mark.parametrize("seed", range(4))
def test_greedy_is_torchvision(seed):
    boxes, scores, labels = detections(seed, n=3000, objects=150, side=1500)
    for threshold in (0.3, 0.5, 0.7):
        found = run(boxes, scores, labels=labels, iou_threshold=threshold)
        expected = torchvision.ops.batched_nms(
            torch.from_numpy(boxes), torch.from_numpy(scores), torch.from_numpy(labels), threshold
        )
        np.testing.assert_array_equal(found.keep, expected.numpy())


def test_blocks_change_nothing(monkeypatch):
    boxes, scores, _ = detections(1, n=1500, objects=60)
    whole = run(boxes, scores)
    monkeypatch.setattr(suppression, "_PAIRS", 1)
    monkeypatch.setattr(suppression, "_LEAST", 16)
    monkeypatch.setattr(suppression, "_EACH", 0)
    pieces = run(boxes, scores)
    np.testing.assert_array_equal(pieces.keep, whole.keep)
    np.testing.assert_array_equal(pieces.cluster, whole.cluster)


@pytest.mark.parametrize("kernel", ["gaussian", "linear"])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("measure", ["iou", "giou", "ios"])
def test_stages_change_nothing(monkeypatch, kernel, ties, measure):
    boxes, scores, _ = detections(2, n=900, objects=60, side=400)
    scores = np.round(scores, 1) if ties else scores
    options = {"method": "soft", "kernel": kernel, "measure": measure}
    monkeypatch.setattr(decay, "_LANE", 1000)
    whole = run(boxes, scores, **options)
    monkeypatch.setattr(decay, "_LANE", 50)
    monkeypatch.setattr(staged, "_STAGE", 32)
    pieces = run(boxes, scores, **options)
    np.testing.assert_array_equal(pieces.keep, whole.keep)
    np.testing.assert_array_equal(pieces.scores, whole.scores)  # to the last bit


@pytest.mark.parametrize("kernel", ["hard", "gaussian"])
def test_stages_know_when_a_box_left(monkeypatch, kernel):
    boxes, scores, _ = detections(2, n=900, objects=60, side=400)
    std = np.random.default_rng(0).uniform(0.5, 2, (900, 4))
    options = {"method": "variance-voting", "kernel": kernel, "std": std, "score_floor": 0.1}
    monkeypatch.setattr(decay, "_LANE", 1000)
    whole = run(boxes, scores, **options)
    monkeypatch.setattr(decay, "_LANE", 50)
    monkeypatch.setattr(staged, "_STAGE", 32)
    pieces = run(boxes, scores, **options)
    np.testing.assert_array_equal(pieces.keep, whole.keep)
    np.testing.assert_array_equal(pieces.boxes, whole.boxes)


def test_islands_share_no_area():
    boxes, _, labels = detections(6, n=400, objects=40, side=900)
    hulls = AxisAligned(boxes).hulls
    island, count = islands(hulls, labels.astype(np.int64), int(labels.max()) + 1)
    assert count > labels.max() + 1 and set(island) == set(range(count))
    for number in range(count):
        assert len(set(labels[island == number])) == 1
    every = np.arange(400)
    meets = AxisAligned(boxes).block(every, every) > 0
    assert not (meets & (labels[:, None] == labels) & (island[:, None] != island)).any()
    far = [[-1e30, 0, -1e30, 1], [0, 0, 1, 1], [0.5, 0, 2, 1], [1e30, 0, 1e30, 1]]
    island, _ = islands(AxisAligned(np.array(far)).hulls, np.zeros(4, np.int64), 1)
    assert island[1] == island[2]


def test_hard_soft_nms_is_greedy():
    boxes, scores, labels = detections(3)
    greedy = run(boxes, scores, labels=labels, iou_threshold=0.0)
    soft = run(boxes, scores, labels=labels, method="soft", sigma=1e-9)
    np.testing.assert_array_equal(soft.keep, greedy.keep)
    wide = run(boxes, scores, labels=labels, method="soft", sigma=1e9)
    assert len(wide) == len(boxes)
    np.testing.assert_allclose(wide.scores, np.sort(scores)[::-1], rtol=1e-5)


def test_adaptive_without_density_is_greedy_with_equality():
    boxes, scores, labels = detections(4)
    adaptive = run(boxes, scores, labels=labels, method="adaptive", density=np.zeros(len(boxes)))
    greedy = run(boxes, scores, labels=labels, inclusive=True)
    np.testing.assert_array_equal(adaptive.keep, greedy.keep)
    estimated = run(boxes, scores, labels=labels, method="adaptive", estimate_density=True)
    assert len(estimated) >= len(greedy)


def test_diou_with_huge_beta_is_greedy():
    boxes, scores, labels = detections(5)
    far = run(boxes, scores, labels=labels, method="diou", beta=60.0)
    np.testing.assert_array_equal(far.keep, run(boxes, scores, labels=labels).keep)


def test_iou_guided_by_score_is_greedy():
    boxes, scores, labels = detections(6)
    guided = run(boxes, scores, labels=labels, method="iou-guided", localisation=scores)
    np.testing.assert_array_equal(guided.keep, run(boxes, scores, labels=labels).keep)
    np.testing.assert_array_equal(guided.scores, guided.original_scores)


def test_averages_lie_within_their_cluster():
    boxes, scores, labels = detections(7)
    for method in ("weighted", "fusion"):
        found = run(boxes, scores, labels=labels, method=method)
        for k, box in enumerate(found.boxes):
            members = boxes[found.cluster == k]
            assert (box >= members.min(0) - 1e-3).all() and (box <= members.max(0) + 1e-3).all()


def test_variance_voting_of_the_unsure_follows_the_sure():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9.0]])
    std = np.array([[1e3] * 4, [1e-3] * 4])
    found = run(boxes, [0.9, 0.8], method="variance-voting", kernel="hard", std=std)
    np.testing.assert_allclose(found.boxes, boxes[1:], atol=1e-5)


def test_fusion_of_equal_models_keeps_boxes_and_scores():
    corner = np.stack(np.meshgrid(np.arange(6), np.arange(5)), -1).reshape(-1, 2) * 50.0
    boxes, labels = np.concatenate([corner, corner + 40], 1), np.arange(30) % 2
    scores = np.random.default_rng(0).permutation(30) / 30 + 0.01
    again = np.concatenate([boxes, boxes])
    model = np.repeat([0, 1], len(boxes))
    one = run(again, np.tile(scores, 2), labels=np.tile(labels, 2), method="fusion", model=model)
    np.testing.assert_allclose(one.scores, np.sort(scores)[::-1], rtol=1e-5)
    assert set(one.keep) == set(range(len(boxes)))


def test_matrix_does_not_depend_on_what_follows():
    boxes, scores, _ = detections(9)
    order = np.argsort(-scores)[:50]
    some, whole = run(boxes[order], scores[order], method="matrix"), run(boxes, scores, method="matrix")
    factor = dict(zip(whole.keep.tolist(), (whole.scores / whole.original_scores).tolist(), strict=True))
    for k, ratio in zip(order[some.keep].tolist(), some.scores / some.original_scores, strict=True):
        assert ratio == pytest.approx(factor[k], rel=1e-5)


def test_a_factor_is_a_contract_and_no_factor():
    with pytest.raises(TypeError, match="Protocol"):
        Factor()
