"""Bootstrap intervals, the blind baseline and the oracle sweep."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from wsstool.metrics.bootstrap import bootstrap_interval, difference_interval
from wsstool.metrics.confusion import ConfusionMatrix
from wsstool.metrics.constant_baseline import blind_baseline
from wsstool.metrics.segmentation import segmentation_scores
from wsstool.metrics.sweep import ThresholdSweep


def counted(n: int, seed: int = 0, classes: int = 3) -> ConfusionMatrix:
    rng = np.random.default_rng(seed)
    confusion = ConfusionMatrix(classes, keep_images=True)
    for _ in range(n):
        truth = rng.integers(0, classes, (9, 9), dtype=np.uint8)
        right = rng.random((9, 9)) < rng.random()
        confusion.update(np.where(right, truth, rng.integers(0, classes, (9, 9), dtype=np.uint8)), truth)
    return confusion


def test_interval_holds_the_score_and_is_seeded():
    confusion = counted(40)
    score = segmentation_scores(confusion.matrix).mean_iou
    interval = bootstrap_interval(confusion.images(), 3, seed=1)
    assert interval.low < score < interval.high < interval.low + 0.3
    assert interval == bootstrap_interval(confusion.images(), 3, seed=1)
    assert interval != bootstrap_interval(confusion.images(), 3, seed=2)
    narrower = bootstrap_interval(confusion.images(), 3, seed=1, level=0.5)
    assert interval.low < narrower.low < narrower.high < interval.high


def test_interval_equals_a_plain_resampling():
    confusion = counted(6)
    images = confusion.images()
    matrices = np.zeros((6, 12))
    matrices[images.image, images.cell] = images.count
    drawn = np.random.default_rng(5).multinomial(6, np.full(6, 1 / 6), size=50)
    scores = [segmentation_scores((w @ matrices).reshape(3, 4)).mean_iou for w in drawn]
    interval = bootstrap_interval(images, 3, samples=50, seed=5)
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(scores, [0.025, 0.975])))


def test_a_difference_is_drawn_in_pairs():
    worse, better = counted(30), ConfusionMatrix(3, keep_images=True)
    images = worse.images()
    for i in range(30):  # the same answers, a tenth of the wrong pixels put right
        matrix = np.zeros(12, np.int64)
        of = images.image == i
        matrix[images.cell[of]] = images.count[of]
        matrix = matrix.reshape(3, 4)
        moved = (matrix * 0.1).astype(np.int64) * (1 - np.eye(3, 4, dtype=np.int64))
        better.update_counts(matrix - moved + np.diag(moved.sum(1)) @ np.eye(3, 4, dtype=np.int64))
    interval = difference_interval(better.images(), images, 3, seed=1)
    gain = segmentation_scores(better.matrix).mean_iou - segmentation_scores(worse.matrix).mean_iou
    assert 0 < interval.low < gain < interval.high
    single = bootstrap_interval(images, 3, seed=1)
    assert interval.high - interval.low < 0.3 * (single.high - single.low)
    none = difference_interval(images, images, 3)
    assert (none.low, none.high, none.units) == (0, 0, 30)
    with pytest.raises(ValueError, match="30 images with 6"):
        difference_interval(images, counted(6).images(), 3)


def test_groups_are_drawn_whole():
    """Twenty copies of each image, grouped, tell no more than the images themselves."""
    few = counted(5)
    many = ConfusionMatrix(3, keep_images=True)
    for _ in range(20):
        many.merge(few)
    groups = [f"patient {i % 5}" for i in range(100)]
    alone = bootstrap_interval(few.images(), 3)
    assert bootstrap_interval(many.images(), 3, groups=groups).units == 5
    assert bootstrap_interval(many.images(), 3, groups=groups).low == pytest.approx(alone.low)
    ungrouped = bootstrap_interval(many.images(), 3)
    assert ungrouped.high - ungrouped.low < (alone.high - alone.low) / 2
    with pytest.raises(ValueError, match="group names for"):
        bootstrap_interval(few.images(), 3, groups=["a"])


def test_interval_of_nothing():
    interval = bootstrap_interval(ConfusionMatrix(2, keep_images=True).images(), 2)
    assert math.isnan(interval.low) and interval.units == 0


def test_blind_rules_on_paper():
    pixels = np.array([[0, 6, 4], [0, 10, 0], [0, 2, 8]])
    tags = np.array([[0, 1, 1], [0, 1, 0], [0, 1, 1]])
    blind = blind_baseline(pixels, tags)
    assert blind.by_rule["first-tag"] == blind.by_rule["commonest-tag"] == pytest.approx((18 / 30 + 0) / 2)
    # class 2 painted on images 1 and 3, class 1 on image 2
    assert blind.by_rule["last-tag"] == blind.by_rule["rarest-tag"] == pytest.approx((10 / 18 + 12 / 20) / 2)
    assert (blind.rule, blind.mean_iou) == ("last-tag", blind.by_rule["last-tag"])
    assert "background" not in blind.by_rule


def test_equally_common_tags_go_to_the_lowest_class_id():
    """Each image is of the first of its two classes, which are as common as each other."""
    blind = blind_baseline(np.array([[5, 0, 0], [5, 0, 0]]), np.array([[1, 1, 0], [1, 1, 0]]))
    assert blind.by_rule == {"first-tag": 1, "last-tag": 0, "commonest-tag": 1, "rarest-tag": 1}


def test_blind_baseline_with_background():
    pixels = np.array([[9, 1], [10, 0]])
    blind = blind_baseline(pixels, np.array([[1, 1], [1, 0]]), background=0)
    # an image without a foreground tag is background, whatever the rule
    assert blind.by_rule["first-tag"] == pytest.approx((10 / 19 + 1 / 10) / 2)
    assert (blind.rule, blind.mean_iou) == ("background", pytest.approx(0.95 / 2))


@pytest.mark.data
def test_blind_baseline_of_msrc21(shared: Path):
    """The figure recorded with the data set: .308 on test, the first tag painted everywhere."""
    image_module = pytest.importorskip("PIL.Image")
    root = shared / "data" / "msrc21"
    ids = dict(reversed(line.split()) for line in (root / "classes.txt").read_text().splitlines())
    with open(root / "labels.csv", newline="") as file:
        labels = {
            Path(r["image"]).stem: [int(ids[t]) for t in r["labels"].split()] for r in csv.DictReader(file)
        }
    stems = (root / "splits" / "test.txt").read_text().split()
    pixels, tags = np.zeros((len(stems), 22), np.int64), np.zeros((len(stems), 22), bool)
    for i, stem in enumerate(stems):
        mask = np.asarray(image_module.open(root / "masks" / f"{stem}.png"))
        pixels[i] = np.bincount(mask.ravel(), minlength=256)[:22]
        tags[i, labels[stem]] = True
    blind = blind_baseline(pixels, tags)
    assert blind.rule == "first-tag"
    assert blind.mean_iou == pytest.approx(0.308, abs=0.0006)


def test_sweep_equals_one_evaluation_a_threshold():
    rng = np.random.default_rng(0)
    sweep = ThresholdSweep(4, 0, steps=20)
    halves = ThresholdSweep(4, 0, steps=20), ThresholdSweep(4, 0, steps=20)
    images = []
    for i in range(4):
        truth = rng.integers(0, 4, (11, 13), dtype=np.uint8)
        truth[0, :5] = 255
        score = (np.round(rng.random((11, 13)) * 40) / 40).astype(
            np.float32
        )  # many lie exactly on a threshold
        label = rng.integers(1, 4, (11, 13))
        images.append((score, label, truth))
        sweep.update(score, label, truth)
        halves[i % 2].update(score, label, truth)
    expected = []
    for threshold in sweep.thresholds:
        confusion = ConfusionMatrix(4)
        for score, label, truth in images:
            prediction = np.where(score > np.float32(threshold), label, 0).astype(np.uint8)
            confusion.update(prediction, truth)
        expected.append(segmentation_scores(confusion.matrix).mean_iou)
    result = sweep.result()
    assert result.mean_iou == pytest.approx(expected)
    assert result.label == "oracle"
    assert result.best_mean_iou == max(expected)
    assert result.best_threshold == sweep.thresholds[int(np.argmax(expected))]
    halves[0].merge(halves[1])
    assert (halves[0].counts == sweep.counts).all()


def test_sweep_needs_a_background():
    with pytest.raises(ValueError, match="without background"):
        ThresholdSweep(3, -1)
