"""Overlap measures, rotated boxes and masks against slow references."""

import numpy as np
import pytest
import torch
import torchvision
from skimage.draw import polygon2mask

from tests.nms.boxes import detections, slow_iou
from wsstool.data.geometry.rle import encode
from wsstool.nms import run
from wsstool.nms.shapes import AxisAligned
from wsstool.nms.shapes.boxes import MEASURES, sides
from wsstool.nms.shapes.rotated_boxes import Rotated
from wsstool.regions import Proposals


def every(boxes, measure, plus_one=False):
    numbers = np.arange(len(boxes))
    return AxisAligned(boxes, measure, plus_one).block(numbers, numbers)


def test_measures_of_torchvision():
    boxes = detections(0, n=60)[0].astype(np.float64)
    tensor = torch.from_numpy(boxes)
    for name, theirs in (
        ("iou", torchvision.ops.box_iou),
        ("giou", torchvision.ops.generalized_box_iou),
        ("diou", torchvision.ops.distance_box_iou),
    ):
        np.testing.assert_allclose(every(boxes, name), theirs(tensor, tensor).numpy(), atol=1e-6)


def test_plus_one_is_pixel_counting():
    draw = np.random.default_rng(0)
    low = draw.integers(0, 12, (20, 2))
    boxes = np.concatenate([low, low + draw.integers(0, 8, (20, 2))], 1).astype(np.float64)
    masks = np.zeros((20, 20, 20), bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.astype(int), strict=True):
        mask[y1 : y2 + 1, x1 : x2 + 1] = True
    flat = masks.reshape(20, -1).astype(float)
    shared = flat @ flat.T
    expected = shared / (flat.sum(1)[:, None] + flat.sum(1) - shared)
    np.testing.assert_allclose(every(boxes, "iou", True), expected)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("above", [-0.2, 0.0, 0.1, 0.5, 0.8])
def test_pruning_loses_no_pair(measure, above):
    boxes, _, labels = detections(1, n=1500, objects=90, side=700)
    boxes[::50, 2:] = boxes[::50, :2] + 400  # some large ones among them
    boxes[7, 2:] = boxes[7, :2]
    shapes = AxisAligned(boxes, measure)
    matrix = every(boxes, measure)
    i, j, value = shapes.pairs(labels, 3, above)
    assert (i < j).all()
    expected = np.argwhere(np.triu((matrix > above) & (labels[:, None] == labels), 1))
    np.testing.assert_array_equal(np.stack([i, j], 1)[np.lexsort((j, i))], expected)
    np.testing.assert_array_equal(value, matrix[i, j])
    rows, columns = np.arange(0, 500), np.arange(400, 1500)
    i, j, _ = shapes.across(rows, columns, labels, 3, above)
    expected = np.argwhere((matrix > above) & (labels[:, None] == labels))
    expected = expected[(expected[:, 0] < 500) & (expected[:, 1] >= 400)]
    np.testing.assert_array_equal(np.stack([i, j], 1)[np.lexsort((j, i))], expected)


def test_sides_are_views_of_nothing():
    boxes = np.array([[0, 0, 2, 3.0]])
    assert [float(side[0]) for side in sides(boxes)] == [0, 0, 2, 3, 6]


class TestRotated:
    def test_upright_is_axis_aligned(self):
        boxes = detections(2, n=80)[0].astype(np.float64)
        turned = np.c_[(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2], np.zeros(80)]
        numbers = np.arange(80)
        np.testing.assert_allclose(Rotated(turned).block(numbers, numbers), every(boxes, "iou"), atol=1e-9)
        quarter = turned[:, [0, 1, 3, 2, 4]] + [0, 0, 0, 0, np.pi / 2]
        np.testing.assert_allclose(Rotated(quarter).block(numbers, numbers), every(boxes, "iou"), atol=1e-9)

    def test_known_areas(self):
        square, diamond = [0, 0, 2, 2, 0.0], [0, 0, 2, 2, np.pi / 4]
        octagon = 8 * (np.sqrt(2) - 1)
        found = Rotated(np.array([square, diamond])).overlap(np.array([0]), np.array([1]))
        assert found[0] == pytest.approx(octagon / (8 - octagon))
        cross = Rotated(np.array([[0, 0, 10, 1, 0.3], [0, 0, 10, 1, 0.3 + np.pi / 2]]))
        assert cross.overlap(np.array([0]), np.array([1]))[0] == pytest.approx(1 / 19)
        far = Rotated(np.array([square, diamond]) + np.array([1e7, -1e7, 0, 0, 0]))
        assert far.overlap(np.array([0]), np.array([1]))[0] == pytest.approx(
            octagon / (8 - octagon), rel=1e-6
        )

    def test_painted_polygons(self):
        draw = np.random.default_rng(3)
        boxes = np.c_[draw.uniform(80, 120, (12, 2)), draw.uniform(20, 70, (12, 2)), draw.uniform(-3, 3, 12)]
        shapes = Rotated(boxes)
        masks = np.stack([polygon2mask((800, 800), corner[:, ::-1] * 4) for corner in shapes.corners])
        flat = masks.reshape(12, -1).astype(float)
        shared = flat @ flat.T
        expected = shared / (flat.sum(1)[:, None] + flat.sum(1) - shared)
        numbers = np.arange(12)
        np.testing.assert_allclose(shapes.block(numbers, numbers), expected, atol=0.02)

    def test_suppression(self):
        boxes = np.array([[0, 0, 10, 2, 0.0], [0, 0, 10, 2, 0.1], [0, 0, 10, 2, 1.5]])
        found = run(boxes, [0.9, 0.8, 0.7])
        assert found.keep.tolist() == [0, 2] and found.cluster.tolist() == [0, 0, 1]
        assert found.boxes.shape == (2, 5)
        with pytest.raises(ValueError, match="not possible for rotated boxes and masks"):
            run(boxes, [0.9, 0.8, 0.7], method="weighted")

    def test_pairs_are_complete(self):
        draw = np.random.default_rng(4)
        boxes = np.c_[draw.uniform(0, 400, (300, 2)), draw.uniform(5, 60, (300, 2)), draw.uniform(-3, 3, 300)]
        group = draw.integers(0, 2, 300)
        shapes, numbers = Rotated(boxes), np.arange(300)
        matrix = shapes.block(numbers, numbers)
        i, j, _ = shapes.pairs(group, 2, 0.2)
        expected = np.argwhere(np.triu((matrix > 0.2) & (group[:, None] == group), 1))
        np.testing.assert_array_equal(np.stack([i, j], 1)[np.lexsort((j, i))], expected)


class TestMasks:
    @pytest.fixture
    def masks(self):
        draw = np.random.default_rng(5)
        found = np.zeros((14, 30, 37), bool)
        for mask in found[:-1]:
            y, x = draw.integers(0, 20, 2)
            mask[y : y + draw.integers(4, 12), x : x + draw.integers(4, 12)] = draw.random() > 0.1
        return found  # the last is empty

    def test_pixels_run_lengths_and_superpixels_agree(self, masks):
        scores = np.linspace(0.9, 0.1, len(masks))
        flat = masks.reshape(len(masks), -1)
        kept: list[int] = []
        for k, mask in enumerate(flat):
            overlap = [(mask & flat[m]).sum() / max(1, (mask | flat[m]).sum()) for m in kept]
            if not any(value > 0.2 for value in overlap):
                kept.append(k)
        for given in (masks, torch.from_numpy(masks), [encode(mask) for mask in masks]):
            assert list(run(given, scores, iou_threshold=0.2).keep) == kept
        for method in ("soft", "fast", "matrix", "cluster"):
            one = run(masks, scores, method=method, iou_threshold=0.2)
            other = run([encode(mask) for mask in masks], scores, method=method, iou_threshold=0.2)
            np.testing.assert_array_equal(one.keep, other.keep)

    def test_rectangles_are_boxes(self):
        boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 8], [12, 2, 20, 9], [13, 2, 20, 9]])
        masks = np.zeros((4, 12, 21), bool)
        for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
            mask[y1:y2, x1:x2] = True
        scores = [0.9, 0.8, 0.7, 0.6]
        for method in ("greedy", "soft", "matrix"):
            of_boxes, of_masks = run(boxes, scores, method=method), run(masks, scores, method=method)
            np.testing.assert_array_equal(of_masks.keep, of_boxes.keep)
            np.testing.assert_allclose(of_masks.scores, of_boxes.scores)

    def test_proposals(self):
        superpixels = np.repeat(np.arange(4, dtype=np.uint16)[None], 5, 0).repeat([1, 2, 3, 4], 1)
        nodes = np.array([[0, 1, 1], [2, 3, 1], [4, 2, 1], [3, 3, 1], [4, 5, 0]], np.uint16)
        proposals = Proposals(superpixels, nodes)
        assert run(proposals, [4, 3, 2, 1.0]).keep.tolist() == [0, 1, 2]  # 15 of 30 px; 20 of 35
        assert run(proposals, [4, 3, 2, 1.0], iou_threshold=0.4).keep.tolist() == [0, 1]
        assert run(proposals, [4, 3, 2, 1.0], iou_threshold=0.6).keep.tolist() == [0, 1, 2, 3]
        with pytest.raises(ValueError, match="not possible for rotated boxes and masks"):
            run(proposals, [4, 3, 2, 1.0], method="voting")


def test_slow_reference_itself():
    assert slow_iou([0, 0, 2, 1], [0, 0, 1, 1]) == 0.5
