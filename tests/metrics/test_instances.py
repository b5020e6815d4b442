"""Scores of masks of boxes: by hand, merged, resampled, and COCO's own program."""

import numpy as np
import pytest

from wsstool.metrics.bootstrap import mean_interval
from wsstool.metrics.coco_ap import Instance, coco_ap, packed
from wsstool.metrics.instances import InstanceScores, overlap


def square(top, left, side, size=(40, 60)):
    mask = np.zeros(size, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def rows(n, seed=0, image=0):
    rng = np.random.default_rng(seed)
    found = []
    for k in range(n):
        truth = square(5, 5, int(rng.integers(6, 30)))
        mask = np.roll(truth, int(rng.integers(0, 5)), 1)
        found.append(
            {
                "image": image + k // 2,
                "class_id": 1 + k % 2,
                "box_fit": 0.9,
                "coverage": 0.5,
                "score": float(rng.random()),
                "fallback": k % 5 == 0,
                "area": int(truth.sum()),
                "found": overlap(mask, truth),
                "box": 0.4,
                "ellipse": 0.5,
            }
        )
    return found


def scores_of(found, **options):
    scores = InstanceScores(3, **options)
    for one in found:
        scores.update(**one)
    return scores


def test_overlap_by_hand():
    found = overlap(square(5, 5, 10), square(5, 10, 10))
    assert (found.intersection, found.union) == (50, 150)
    assert 0 < found.boundary_iou < 0.5 and 0 < found.boundary_f < 1
    nothing = np.zeros((40, 60), bool)
    assert overlap(nothing, nothing).iou == 1
    assert overlap(nothing, square(5, 5, 9)) == overlap(square(5, 5, 9), nothing)
    assert overlap(nothing, square(5, 5, 9)).boundary_f == 0


def test_boundary_iou_is_that_of_drawn_bands():
    from scipy import ndimage

    a, b = square(3, 4, 22), square(6, 9, 25)
    width = max(1, round(0.02 * np.hypot(40, 60)))
    bands = [m & ~ndimage.binary_erosion(m, np.ones((3, 3)), iterations=width) for m in (a, b)]
    assert overlap(a, b).boundary_iou == pytest.approx(
        (bands[0] & bands[1]).sum() / (bands[0] | bands[1]).sum()
    )


def test_means_over_objects_that_are_large_enough():
    found = rows(12)
    said = scores_of(found, min_area=200).result(bootstrap=0)
    large = [one["found"].iou for one in found if one["area"] >= 200]
    assert said["scored"] == len(large) and said["too_small"] == 12 - len(large) > 0
    assert said["instance_miou"] == pytest.approx(np.mean(large))
    assert said["blind"] == {"box": pytest.approx(0.4), "ellipse": pytest.approx(0.5)}
    assert sum(said["class_objects"]) == sum(s["objects"] for s in said["by_size"].values()) == len(large)


def test_the_other_rule_counts_by_the_box():
    found = [{**one, "box_area": 150.0 + 20 * k} for k, one in enumerate(rows(12))]
    said = scores_of(found, min_area=200).result(bootstrap=0)["by_box_area"]
    large = [one["found"].iou for one in found if one["box_area"] >= 200]
    assert said["objects"] == len(large) == 9 and said["instance_miou"] == pytest.approx(np.mean(large))
    assert said["box"] == pytest.approx(0.4) and said["ellipse"] == pytest.approx(0.5)
    assert scores_of(rows(3)).result()["by_box_area"]["objects"] == 0  # boxes of unknown size


def test_merged_parts_are_one_pass():
    found = rows(12)
    whole, part, rest = scores_of(found), scores_of(found[:4]), scores_of(found[4:])
    part.merge(rest)
    assert part.result() == whole.result()
    with pytest.raises(ValueError, match="merge"):
        part.merge(scores_of([], min_area=7))


def test_without_any_truth_the_boxes_remain():
    scores = InstanceScores(3)
    scores.update(image=0, class_id=1, box_fit=0.8, coverage=0.6, score=0.7, fallback=False)
    said = scores.result()
    assert said["instance_miou"] is None and said["box_fit"] == 0.8 and said["without_truth"] == 1
    assert InstanceScores(3).result()["objects"] == 0


def test_images_are_drawn_whole():
    values, image = np.array([0.2, 0.2, 0.2, 0.9]), np.array([0, 0, 0, 1])
    found = vars(mean_interval(values, image, samples=500))
    assert found["units"] == 2 and found["low"] == pytest.approx(0.2) and found["high"] == pytest.approx(0.9)
    assert mean_interval(values, image, groups=["p", "p"]).units == 1


def test_average_precision():
    pytest.importorskip("pycocotools")
    sizes = {0: (40, 60), 1: (40, 60)}
    truth = [packed(Instance(0, 1, square(5, 5, 20))), packed(Instance(1, 2, square(8, 30, 12)))]
    assert coco_ap(truth, truth, sizes)["ap"] == pytest.approx(1)
    half = [packed(Instance(0, 1, square(5, 5, 20), 0.9)), packed(Instance(1, 2, square(20, 0, 12), 0.8))]
    assert coco_ap(truth, half, sizes)["ap"] == pytest.approx(0.5)
    assert coco_ap(truth, [], sizes)["ap"] == 0 and coco_ap([], half, sizes)["ap"] is None
