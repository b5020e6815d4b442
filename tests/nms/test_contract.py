"""What holds for every rule of the registry, whoever wrote it."""

import numpy as np
import pytest
import torch

from tests.nms.boxes import detections
from wsstool.nms import Regions, run
from wsstool.registry import NMS

DROPPING = ("greedy", "weighted", "diou", "fast", "cluster", "voting", "adaptive", "iou-guided")


def columns(n: int, seed: int = 1) -> dict:
    draw = np.random.default_rng(seed)
    return {
        "localisation": draw.permutation(n) / n,
        "std": draw.uniform(1, 5, (n, 4)),
        "density": draw.uniform(0, 0.6, n),
        "model": draw.integers(0, 3, n),
    }


@pytest.mark.parametrize("method", NMS.names())
class TestEveryRule:
    def test_result(self, method):
        boxes, scores, labels = detections()
        before = boxes.copy(), scores.copy()
        found = run(boxes, scores, labels=labels, method=method, **columns(len(boxes)))
        assert 0 < len(found) <= len(boxes)
        assert found.keep.dtype == np.int64 and len(set(found.keep)) == len(found.keep)
        assert found.boxes.shape == (len(found), 4) and found.boxes.dtype == boxes.dtype
        assert found.scores.shape == found.original_scores.shape == (len(found),)
        assert (np.diff(found.scores) <= 0).all()
        np.testing.assert_array_equal(found.original_scores, scores[found.keep])
        assert found.cluster.shape == (len(boxes),)
        assert found.cluster.min() >= -1 and found.cluster.max() < len(found)
        np.testing.assert_array_equal(found.cluster[found.keep], np.arange(len(found)))
        went = found.cluster >= 0
        np.testing.assert_array_equal(labels[went], labels[found.keep][found.cluster[went]])
        np.testing.assert_array_equal(boxes, before[0])
        np.testing.assert_array_equal(scores, before[1])

    def test_no_boxes(self, method):
        found = run(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), method=method, **columns(0))
        assert len(found) == 0 and found.boxes.shape == (0, 4) and found.cluster.shape == (0,)
        assert len(run([], [], method=method, **columns(0))) == 0

    def test_one_box_stays_as_it_is(self, method):
        found = run([[1.0, 2, 30, 40]], [0.5], method=method, **columns(1))
        assert found.keep.tolist() == [0] and found.cluster.tolist() == [0]
        np.testing.assert_allclose(found.boxes, [[1, 2, 30, 40]])

    def test_boxes_that_do_not_touch_stay(self, method):
        draw = np.random.default_rng(3)
        grid = np.stack(np.meshgrid(np.arange(12), np.arange(9)), -1).reshape(-1, 2) * 50.0
        boxes = np.concatenate([grid, grid + draw.uniform(5, 49, grid.shape)], 1)
        scores = draw.permutation(len(boxes)) / len(boxes) + 0.1
        options = {**columns(len(boxes)), "model": None}
        found = run(boxes, scores, method=method, **options)
        np.testing.assert_array_equal(np.sort(found.keep), np.arange(len(boxes)))
        np.testing.assert_allclose(found.boxes, boxes[found.keep], rtol=1e-12)
        np.testing.assert_allclose(found.scores, scores[found.keep], rtol=1e-6)

    def test_order_of_the_input_makes_no_difference(self, method):
        boxes, scores, labels = detections(5)
        more, order = columns(len(boxes)), np.random.default_rng(0).permutation(len(boxes))
        one = run(boxes, scores, labels=labels, method=method, **more)
        shuffled = {name: column[order] for name, column in more.items()}
        other = run(boxes[order], scores[order], labels=labels[order], method=method, **shuffled)
        np.testing.assert_array_equal(order[other.keep], one.keep)
        np.testing.assert_allclose(other.scores, one.scores, rtol=1e-6)
        np.testing.assert_allclose(other.boxes, one.boxes, rtol=1e-5)

    def test_classes_apart_are_classes_together(self, method):
        boxes, scores, labels = detections(6)
        more = columns(len(boxes))
        whole = run(boxes, scores, labels=labels, method=method, **more)
        parts = []
        for label in np.unique(labels):
            own = np.flatnonzero(labels == label)
            some = {name: column[own] for name, column in more.items()}
            if method == "fusion":
                some["model_weights"] = (1.0, 1.0, 1.0)
            parts.append(own[run(boxes[own], scores[own], method=method, **some).keep])
        np.testing.assert_array_equal(np.sort(whole.keep), np.sort(np.concatenate(parts)))

    def test_tensors_in_tensors_out(self, method):
        boxes, scores, labels = detections(7)
        more = columns(len(boxes))
        one = run(boxes, scores, labels=labels, method=method, **more)
        tensors = {name: torch.from_numpy(column) for name, column in more.items()}
        other = run(
            torch.from_numpy(boxes),
            torch.from_numpy(scores),
            labels=torch.from_numpy(labels),
            method=method,
            **tensors,
        )
        assert isinstance(other.keep, torch.Tensor) and other.boxes.dtype == torch.float32
        np.testing.assert_array_equal(other.keep.numpy(), one.keep)
        np.testing.assert_array_equal(other.scores.numpy(), one.scores)
        np.testing.assert_array_equal(other.boxes.numpy(), one.boxes)
        np.testing.assert_array_equal(other.cluster.numpy(), one.cluster)

    def test_whole_numbers_and_double_precision(self, method):
        boxes, scores, _ = detections(8)
        rounded, more = np.round(boxes), columns(len(boxes))
        double = run(rounded.astype(np.float64), scores.astype(np.float64), method=method, **more)
        whole = run(rounded.astype(np.int32), scores.astype(np.float64), method=method, **more)
        np.testing.assert_array_equal(whole.keep, double.keep)
        assert double.boxes.dtype == np.float64

    def test_function_takes_bare_arrays_and_regions(self, method):
        boxes, scores, _ = detections(9, n=40)
        regions = Regions.of(boxes)
        rule = NMS.load(method)
        if method in ("iou-guided", "variance-voting", "adaptive"):
            with pytest.raises(ValueError, match="column"):
                rule(boxes, scores, iou_threshold=0.5)
            return
        one, other = rule(boxes, scores, iou_threshold=0.5), rule(regions, scores, iou_threshold=0.5)
        np.testing.assert_array_equal(one.keep, other.keep)

    def test_equal_scores_go_to_the_lower_index(self, method):
        boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [100, 0, 110, 10], [0, 0, 10, 10.0]])
        more = {"localisation": np.full(4, 0.5), "std": np.ones((4, 4)), "density": np.zeros(4)}
        found = run(boxes, np.full(4, 0.5), method=method, **more)
        assert found.keep[0] == 0 and found.cluster[0] == 0


@pytest.mark.parametrize("method", DROPPING)
def test_thresholds_at_the_ends(method):
    boxes, scores, _ = detections(10)
    more = columns(len(boxes)) | {"density": np.zeros(len(boxes))}
    assert len(run(boxes, scores, method=method, iou_threshold=1.0, **more)) == len(boxes)
    assert len(run(boxes, scores, method=method, iou_threshold=1.5, **more)) == len(boxes)
    if method != "diou":
        assert len(run(boxes, scores, method=method, iou_threshold=-0.1, **more)) == 1


@pytest.mark.parametrize("method", NMS.names())
def test_result_does_not_depend_on_threads(method):
    boxes, scores, labels = detections(11, n=300)
    before = torch.get_num_threads()
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.append(run(boxes, scores, labels=labels, method=method, **columns(len(boxes))))
    torch.set_num_threads(before)
    np.testing.assert_array_equal(found[0].boxes, found[1].boxes)
    np.testing.assert_array_equal(found[0].scores, found[1].scores)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("method", NMS.names())
def test_the_same_on_an_accelerator(method):
    boxes, scores, labels = detections(12)
    more = columns(len(boxes))
    one = run(boxes, scores, labels=labels, method=method, **more)
    other = run(
        torch.from_numpy(boxes).cuda(),
        torch.from_numpy(scores).cuda(),
        labels=torch.from_numpy(labels).cuda(),
        method=method,
        **more,
    )
    assert other.keep.is_cuda
    np.testing.assert_array_equal(other.keep.cpu().numpy(), one.keep)
    np.testing.assert_array_equal(other.scores.cpu().numpy(), one.scores)
