"""Scores of masks of boxes: by hand, merged, resampled."""

import numpy as np
import pytest

from wsstool.metrics.bootstrap import mean_interval
from wsstool.metrics.instances import InstanceScores, Width, overlap


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


def test_boundaries_by_the_object_are_those_of_the_picture_cut_out():
    rng = np.random.default_rng(0)
    truth = square(3, 4, 60, (300, 400))
    mask = truth & (rng.random(truth.shape) < 0.9)
    cut = slice(3, 63), slice(4, 64)
    for ratio in (0.02, 0.05, 0.1):
        found = overlap(mask, truth, Width(ratio, "object"))
        assert found == overlap(mask[cut], truth[cut], Width(ratio, "image"))
    assert overlap(mask, truth) == overlap(mask, truth, Width(0.02, "image"))
    assert [Width(0.05, of).pixels(truth) for of in ("image", "object")] == [25, 4]
    assert Width(0.02, "object").pixels(np.zeros((300, 400), bool)) == 10


def test_small_objects_are_all_boundary_in_a_large_picture():
    truth, mask = square(50, 50, 12, (512, 512)), square(50, 53, 12, (512, 512))
    by_image, by_object = overlap(mask, truth), overlap(mask, truth, Width(0.05, "object"))
    assert by_image.boundary_iou == by_image.iou == by_object.iou
    assert by_object.boundary_iou < 0.5 * by_object.iou and by_image.boundary_f == 1 > by_object.boundary_f


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


@pytest.mark.parametrize(("width", "shares"), [(4, (0, 0)), (5, (1, 0)), (6, (1, 0)), (7, (1, 1))])
def test_an_iou_equal_to_the_threshold_is_in_the_share(width, shares):
    truth = square(5, 5, 10)
    part = truth & (np.arange(60) < 5 + width)
    said = scores_of([{**rows(1)[0], "found": overlap(part, truth)}]).result()
    assert said["instance_miou"] == width / 10
    assert (said["share_50"], said["share_70"]) == shares


@pytest.mark.parametrize(
    ("area", "size"), [(1023, "small"), (1024, "medium"), (9215, "medium"), (9216, "large")]
)
def test_a_size_begins_at_its_lower_limit(area, size):
    said = scores_of([{**rows(1)[0], "area": area}]).result()["by_size"]
    assert {name: one["objects"] for name, one in said.items() if one["objects"]} == {size: 1}


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


def test_rank_correlation_by_hand():
    """Spearman's: ties share their mean rank; nothing can be said of values that never change."""
    found = rows(4)
    for one, score, side in zip(found, (0.1, 0.2, 0.2, 0.9), (10, 12, 14, 13), strict=True):
        truth = square(5, 5, 15)
        one |= {"score": score, "area": int(truth.sum()), "found": overlap(square(5, 5, side), truth)}
    # Ranks 1, 2.5, 2.5, 4 against 1, 2, 4, 3.
    assert scores_of(found).result()["score_order"] == pytest.approx(3 / np.sqrt(4.5 * 5))
    assert scores_of(found[:2]).result()["score_order"] is None
    assert scores_of([{**one, "score": 0.5} for one in found]).result()["score_order"] is None
