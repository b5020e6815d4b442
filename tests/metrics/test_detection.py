"""Scores of detections against pycocotools' figures, hand cases and merging."""

import json

import numpy as np
import pytest

from wsstool.metrics.detection import DetectionScores, ImageBoxes, match_voc
from wsstool.stages.scoring.evaluate import evaluate

REFERENCE = {
    "ap": 0.505, "ap50": 0.697, "ap75": 0.573, "ap_small": 0.586, "ap_medium": 0.519, "ap_large": 0.501,
    "ar1": 0.387, "ar10": 0.594, "ar100": 0.595, "ar_small": 0.640, "ar_medium": 0.566, "ar_large": 0.564,
}  # fmt: skip


def test_the_example_of_coco_to_the_third_decimal(shared):
    folder = shared / "data/eval_reference"
    found = evaluate(folder / "fakebbox100_results.json", truth=folder / "instances_val2014_100.json")
    assert {key: round(found["scores"][key], 3) for key in REFERENCE} == REFERENCE
    assert found["images"] == 100 and found["boxes"] == 734


@pytest.mark.slow
def test_pycocotools_agrees_on_detections_before_suppression(shared, tmp_path):
    pytest.importorskip("pycocotools")
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    folder = shared / "data/nms_real"
    truth, raw = folder / "pennfudan_gt.json", folder / "pennfudan_raw_nanodet_m_320.json"
    names = list(REFERENCE)
    gt = COCO(str(truth))
    rows = json.loads(raw.read_text())
    theirs = COCOeval(gt, gt.loadRes(rows), "bbox")
    theirs.evaluate()
    theirs.accumulate()
    theirs.summarize()
    ours = evaluate(raw, truth=truth)["scores"]
    for name, value in zip(names, theirs.stats, strict=True):
        assert (ours[name] if ours[name] is not None else -1) == pytest.approx(value, abs=1e-9)


def image(scores, overlaps, *, areas=None, crowd=None, true_area=5000.0):
    overlaps = np.array(overlaps, float)
    objects = overlaps.shape[1]
    return ImageBoxes(
        np.array(scores, float),
        np.full(len(scores), 5000.0) if areas is None else np.array(areas),
        overlaps,
        np.full(objects, true_area),
        np.zeros(objects, bool) if crowd is None else np.array(crowd),
        np.zeros(objects, bool),
    )


def scores_of(*images) -> DetectionScores:
    total = DetectionScores()
    for one in images:
        total.add_image({0: one})
    return total


def test_perfect_and_empty():
    perfect = scores_of(image([0.9, 0.8], np.eye(2))).result()
    assert perfect["ap"] == perfect["ar100"] == perfect["voc_ap"] == perfect["voc_ap_11"] == 1
    assert perfect["ap_small"] is None and perfect["miss_rate"] == pytest.approx(1e-10)
    nothing = scores_of(image([], np.zeros((0, 3)))).result()
    assert nothing["ap"] == nothing["ar100"] == nothing["voc_ap"] == 0 and nothing["miss_rate"] == 1
    assert DetectionScores().result()["ap"] is None


def test_a_duplicate_is_a_false_positive_behind_the_hit():
    found = scores_of(image([0.9, 0.8, 0.7], [[1, 0], [0.9, 0], [0, 1]])).result()
    assert found["ap50"] == pytest.approx((51 + 50 * 2 / 3) / 101)  # recall to 0.5 at precision 1, then 2/3
    assert found["voc_ap"] == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_iou_thresholds():
    found = scores_of(image([0.9], [[0.7]])).result()
    assert found["ap50"] == 1 and found["ap75"] == 0 and found["ap"] == pytest.approx(0.5)


def test_an_iou_equal_to_the_threshold_is_a_hit():
    for overlap, hits in ((0.5, 1), (0.499, 0)):
        found = scores_of(image([0.9], [[overlap]])).result()
        assert found["ap50"] == found["voc_ap"] == hits
    crowd = np.array([True])
    for overlap, found in ((0.5, -1), (0.499, 0)):
        assert match_voc(np.array([[overlap]]), np.zeros(1, bool), crowd).tolist() == [found]


@pytest.mark.parametrize(
    ("area", "sizes"),
    [
        (1023.0, {"small"}),
        (1024.0, {"small", "medium"}),
        (1025.0, {"medium"}),
        (9216.0, {"medium", "large"}),
        (9217.0, {"large"}),
    ],
)
def test_an_object_on_the_limit_of_two_sizes_counts_in_both_as_in_pycocotools(area, sizes):
    found = scores_of(image([0.9], [[1]], areas=[area], true_area=area)).result()
    assert {size for size in ("small", "medium", "large") if found[f"ap_{size}"] == 1} == sizes
    assert {size for size in ("small", "medium", "large") if found[f"ap_{size}"] is not None} == sizes


@pytest.mark.parametrize(("area", "halved"), [(1023.0, {"small"}), (1024.0, {"small", "medium"})])
def test_a_wrong_detection_counts_where_its_own_area_lies(area, halved):
    wrong = [image([0.95, 0.9], [[0], [1]], areas=[area, true], true_area=true) for true in (500.0, 5000.0)]
    found = scores_of(*wrong).result()
    assert {size for size in ("small", "medium") if found[f"ap_{size}"] == 1} == {"small", "medium"} - halved


def test_detections_in_a_crowd_are_set_aside():
    found = scores_of(image([0.9, 0.8, 0.7], [[0, 1], [0, 1], [1, 0]], crowd=[False, True])).result()
    assert found["ap"] == 1


def test_voc_gives_each_detection_to_its_best_object():
    # The second detection overlaps both objects; COCO would give it the free one, VOC calls it a duplicate.
    overlaps = np.array([[0.9, 0.0], [0.8, 0.6]])
    assert match_voc(overlaps, np.zeros(2, bool), np.zeros(2, bool)).tolist() == [1, 0]
    assert scores_of(image([0.9, 0.8], overlaps)).result()["ap50"] == 1
    assert match_voc(overlaps, np.array([True, False]), np.zeros(2, bool)).tolist() == [-1, -1]


def test_miss_rate_by_hand():
    # 10 images, 1 object each; 5 found, then 1 false positive, then 5 more: 0.1 false positives an image.
    images = (
        [image([0.9], [[1]]) for _ in range(5)] + [image([0.5, 0.7], [[1], [0]])] + [image([0.5], [[1]])] * 4
    )
    rates = np.logspace(-2, 0, 9)
    missed = np.where(rates < 0.1 - 1e-12, 0.5, 1e-10)
    assert scores_of(*images).result()["miss_rate"] == pytest.approx(np.exp(np.log(missed).mean()), rel=1e-6)


def test_parts_make_the_whole():
    draw = np.random.default_rng(0)
    images = [
        image(draw.random(k), draw.random((k, g)), areas=draw.uniform(100, 20000, k))
        for k, g in draw.integers(1, 8, (20, 2))
    ]
    whole, parts = scores_of(*images), scores_of(*images[:9])
    parts.merge(scores_of(*images[9:]))
    assert parts.result() == whole.result()
    assert parts.curve() == whole.curve()


def test_voc_asks_for_a_crowd_only_where_no_object_fits():
    overlaps = np.array([[0.9, 1.0], [0.8, 1.0], [0.1, 0.7], [0.1, 0.3]])
    crowd = np.array([False, True])
    assert match_voc(overlaps, np.zeros(2, bool), crowd).tolist() == [1, 0, -1, 0]
    assert match_voc(overlaps[:, 1:], np.zeros(1, bool), crowd[1:]).tolist() == [-1, -1, -1, 0]
    assert match_voc(np.zeros((2, 0)), np.zeros(0, bool), np.zeros(0, bool)).tolist() == [0, 0]
