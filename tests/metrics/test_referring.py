"""Referring metrics against loops over sentences, and on human sentences."""

import math

import numpy as np
import pytest

from wsstool.data.boxes.table import read_boxes
from wsstool.data.dataset import open_dataset
from wsstool.data.geometry.shapes import shape_mask
from wsstool.expressions.recognise import read_expressions
from wsstool.expressions.tokenizer import tokenize
from wsstool.metrics.bootstrap import mean_interval, ratio_difference_interval, ratio_interval
from wsstool.metrics.referring import (
    SentenceCounts,
    central_object,
    largest_object,
    referring_scores,
    scores_by,
    sentence_counts,
)

LIMITS = (0.5, 0.6, 0.7, 0.8, 0.9)


def drawn(n=200, seed=0):
    """Pairs of masks of overlapping rectangles in images of several sizes; every seventh has no target."""
    rng = np.random.default_rng(seed)
    pairs = []
    for k in range(n):
        size = rng.integers(20, 260, 2)
        masks = []
        for _ in range(2):
            top, left = rng.integers(0, size // 2)
            mask = np.zeros(size, bool)
            mask[top : top + rng.integers(1, size[0]), left : left + rng.integers(1, size[1])] = True
            masks.append(mask)
        if k % 3 == 0:
            masks[1] = np.roll(masks[0], 1, 0)
        if k % 11 == 0:
            masks[0][:] = False
        pairs.append((masks[0], None if k % 7 == 0 else masks[1]))
    return pairs, rng.integers(0, 30, n), rng.integers(1, 26, n)


def by_loops(pairs, words, keep):
    """Scores of the sentences with a target for which ``keep(words, truth)``, one after another."""
    ious, shared, together = [], 0, 0
    for (found, truth), n in zip(pairs, words, strict=True):
        if truth is None or not keep(n, truth):
            continue
        both, either = int((found & truth).sum()), int((found | truth).sum())
        ious.append(both / either if either else 1.0)
        shared, together = shared + both, together + either
    assert ious
    precision = {f"prec_{100 * x:.0f}": sum(i >= x for i in ious) / len(ious) for x in LIMITS}
    means = {"overall_iou": shared / together, "mean_iou": sum(ious) / len(ious)}
    return {"sentences": len(ious), **means, **precision}


def test_against_loops():
    pairs, image, words = drawn()
    counts = sentence_counts([p for p, _ in pairs], [t for _, t in pairs], image=image, words=words)
    found = referring_scores(counts, bootstrap=0)
    whole = by_loops(pairs, words, lambda n, truth: True)
    assert {name: found[name] for name in whole} == pytest.approx(whole)
    assert 0.2 < found["prec_70"] < found["prec_50"] < 0.9
    lengths = {"1-2": (1, 2), "3": (3, 3), "4-5": (4, 5), "6-20": (6, 99)}
    sizes = {"small": (0, 1024), "medium": (1024, 9216), "large": (9216, 1e9)}
    assert found["by_length"].keys() == lengths.keys() and found["by_size"].keys() == sizes.keys()
    for name, (low, high) in lengths.items():
        part = by_loops(pairs, words, lambda n, truth, low=low, high=high: low <= n <= high)
        assert part["sentences"] > 3 and found["by_length"][name] == pytest.approx(part)
    for name, (low, high) in sizes.items():
        part = by_loops(pairs, words, lambda n, truth, low=low, high=high: low <= truth.sum() < high)
        assert part["sentences"] > 3 and found["by_size"][name] == pytest.approx(part)
    assert sum(part["sentences"] for part in found["by_length"].values()) == whole["sentences"]


def test_sentences_without_a_target_are_counted_apart():
    pairs, image, words = drawn()
    predictions, truths = zip(*pairs, strict=True)
    empty = [truth is None for truth in truths]
    right = sum(not found.any() for found, is_empty in zip(predictions, empty, strict=True) if is_empty)
    counts = sentence_counts(predictions, truths, image=image, words=words)
    found = referring_scores(counts, bootstrap=0)
    assert found["no_target"] == {"sentences": sum(empty), "right": right, "accuracy": right / sum(empty)}
    assert 0 < right < sum(empty)
    rest = referring_scores(counts.of(counts.has_target), bootstrap=0)
    assert rest["no_target"] == {"sentences": 0, "right": 0, "accuracy": None}
    assert {**rest, "no_target": found["no_target"]} == found


def test_the_limit_itself_is_right():
    """IoUs of exactly .5, .6 ... .9, from whole numbers of pixels."""
    tenths = np.arange(5, 10)
    counts = SentenceCounts(tenths, tenths, tenths, np.full(5, 10), np.ones(5), np.ones(5))
    found = referring_scores(counts, bootstrap=0)
    assert [found[f"prec_{x}"] for x in (50, 60, 70, 80, 90)] == [1.0, 0.8, 0.6, 0.4, 0.2]


def test_two_empty_masks_are_right_and_counted():
    counts = SentenceCounts([0, 1], [0, 1], [0, 1], [0, 2], [True, True], [1, 1])
    found = referring_scores(counts, bootstrap=0)
    assert (found["both_empty"], found["mean_iou"], found["overall_iou"]) == (1, 0.75, 0.5)
    assert referring_scores(counts.of(np.array([0])), bootstrap=0)["overall_iou"] == 1.0


def test_overall_and_mean_iou_differ_where_sizes_do():
    counts = SentenceCounts([0, 1], [900, 0], [1000, 10], [900, 10], [True, True], [1, 1])
    found = referring_scores(counts, bootstrap=0)
    assert found["mean_iou"] == 0.45 and found["overall_iou"] == pytest.approx(900 / 1020)


def test_nothing():
    none = SentenceCounts([], [], [], [], [], [])
    found = referring_scores(none)
    assert found["overall_iou"] is None and found["prec_50"] is None and "interval" not in found
    assert found["by_size"]["small"]["sentences"] == 0


class TestInterval:
    def test_is_that_of_resampled_images(self):
        pairs, image, words = drawn(300)
        counts = sentence_counts([p for p, _ in pairs], [t for _, t in pairs], image=image, words=words)
        counts = counts.of(counts.has_target)
        found = referring_scores(counts, bootstrap=2000)["interval"]
        rng, images = np.random.default_rng(5), np.unique(counts.image)
        overall, mean = [], []
        for _ in range(2000):
            rows = np.concatenate(
                [np.flatnonzero(counts.image == i) for i in rng.choice(images, len(images))]
            )
            part = counts.of(rows)
            overall.append(part.intersection.sum() / part.union.sum())
            mean.append(part.iou.mean())
        for name, values in (("overall_iou", overall), ("mean_iou", mean)):
            low, high = np.quantile(values, [0.025, 0.975])
            assert found[name]["units"] == len(images)
            assert found[name]["low"] == pytest.approx(low, abs=0.006)
            assert found[name]["high"] == pytest.approx(high, abs=0.006)

    def test_groups_are_drawn_whole(self):
        counts = SentenceCounts([0, 1, 2, 3], [1, 2, 3, 4], [5] * 4, [5] * 4, [True] * 4, [1] * 4)
        found = referring_scores(counts, groups=["a", "a", "b", "b"])["interval"]
        assert found["overall_iou"]["units"] == found["mean_iou"]["units"] == 2

    def test_a_mean_is_a_ratio(self):
        values, image = np.random.default_rng(0).random(50), np.arange(50) // 3
        assert mean_interval(values, image) == ratio_interval(values, np.ones(50), image)
        doubled = ratio_interval(2 * values, np.full(50, 2.0), image)
        assert doubled.low == pytest.approx(mean_interval(values, image).low)

    def test_denominators_of_zero_are_left_out(self):
        found = ratio_interval(np.array([1, 0]), np.array([2, 0]), np.array([0, 1]))
        assert (found.low, found.high) == (0.5, 0.5)
        nothing = ratio_interval(np.zeros(2), np.zeros(2), np.array([0, 1]))
        assert math.isnan(nothing.low)

    def test_a_difference_is_drawn_in_pairs(self):
        """As resampled by hand: narrower than the intervals of the two ratios together."""
        rng = np.random.default_rng(3)
        image, above = np.arange(40) // 2, rng.random(40)
        below, other = 1 + rng.random(40), above + 0.1 * rng.random(40)
        found = ratio_difference_interval((above, other), (below, below), image, samples=2000)
        by_hand = []
        for _ in range(2000):
            rows = np.concatenate([np.flatnonzero(image == i) for i in rng.choice(20, 20)])
            by_hand.append((above[rows].sum() - other[rows].sum()) / below[rows].sum())
        assert [found.low, found.high] == pytest.approx(np.quantile(by_hand, [0.025, 0.975]), abs=0.002)
        alone = ratio_interval(above, below, image)
        assert found.high - found.low < (alone.high - alone.low) / 3


class TestRefusals:
    @pytest.mark.parametrize(
        ("columns", "message"),
        [
            (([0], [1, 2], [2, 2], [2, 2], [True, True], [1, 1]), "different lengths"),
            (([0], [3], [2], [4], [True], [1]), "larger than its masks"),
            (([0], [-1], [2], [4], [True], [1]), "or negative"),
            (([0], [0], [2], [4], [False], [1]), "without a target"),
        ],
    )
    def test_counts_that_no_masks_have(self, columns, message):
        with pytest.raises(ValueError, match=message):
            SentenceCounts(*columns)

    def test_masks_of_two_sizes(self):
        with pytest.raises(ValueError, match="a prediction of"):
            sentence_counts([np.ones((2, 3), bool)], [np.ones((3, 2), bool)], image=[0], words=[1])

    def test_names_of_another_number(self):
        with pytest.raises(ValueError, match="1 names for 0 sentences"):
            scores_by(SentenceCounts([], [], [], [], [], []), ["a"])


def test_by_name():
    counts = SentenceCounts([0, 1, 2], [1, 2, 0], [2, 2, 3], [2, 2, 0], [True, True, False], [1, 1, 1])
    found = scores_by(counts, ["x", "y", "x"])
    assert (found["x"]["sentences"], found["x"]["mean_iou"]) == (1, pytest.approx(1 / 3))
    assert found["y"]["mean_iou"] == 1.0


class TestBlindBaselines:
    def test_largest_and_central(self):
        masks = np.zeros((4, 9, 9), bool)
        masks[0, :4, :4] = True
        masks[1, 3:6, 4:7] = True
        masks[2, 5:, 5:] = True
        assert (largest_object(masks), central_object(masks)) == (0, 1)
        assert central_object(masks[[3, 0]]) == 1  # an empty mask is never central
        assert largest_object(masks[[3, 2, 0]]) == 1

    def test_fail_on_the_drawn_scenes(self, tmp_path):
        """Without the words nothing tells the objects apart."""
        from wsstool.stages.program.sample import sample

        sample(output=tmp_path / "s", kind="referring", count=80, size=64)
        rows = read_expressions(tmp_path / "s").rows
        masks = {row.id: shape_mask(row.mask, row.size) for row in rows}
        images = list(dict.fromkeys(row.image for row in rows))
        for choose in (largest_object, central_object):
            guess = {}
            for name in images:
                stack = np.stack([masks[row.id] for row in rows if row.image == name])
                guess[name] = stack[choose(stack)]
            every = [row for row in rows for _ in row.sentences]
            counts = sentence_counts(
                [guess[row.image] for row in every],
                [masks[row.id] for row in every],
                image=[images.index(row.image) for row in every],
                words=[3] * len(every),
            )
            found = referring_scores(counts, bootstrap=0)
            assert found["sentences"] > 600 and found["mean_iou"] < 0.4 and found["overall_iou"] < 0.4


def test_a_smoke_run_on_human_sentences(shared):
    """Filled boxes as predictions for 47 sentences; figures of so few say little."""
    rows = [row for row in read_expressions(shared / "data/referring").rows if row.mask or row.no_target]
    every = [(row, text) for row in rows for text in row.sentences]
    predictions, truths = [], []
    for row, _ in every:
        filled = np.zeros(row.size, bool)
        if row.box:
            x0, y0, x1, y1 = (round(value) for value in row.box)
            filled[y0:y1, x0:x1] = True
        predictions.append(filled)
        truths.append(None if row.no_target else shape_mask(row.mask, row.size))
    names = list(dict.fromkeys(row.image for row, _ in every))
    counts = sentence_counts(
        predictions,
        truths,
        image=[names.index(row.image) for row, _ in every],
        words=[len(tokenize(text)) for _, text in every],
    )
    found = referring_scores(counts)
    assert (found["sentences"], found["no_target"]) == (42, {"sentences": 5, "right": 5, "accuracy": 1.0})
    assert 0.4 < found["overall_iou"] < 0.7 and 0.4 < found["mean_iou"] < 0.7
    low, high = (found["interval"]["overall_iou"][side] for side in ("low", "high"))
    assert low < found["overall_iou"] < high
    by_set = scores_by(counts, [row.dataset for row, _ in every])
    assert sum(one["sentences"] for one in by_set.values()) == 42
    print(f"filled boxes: overall IoU {found['overall_iou']:.3f}, mean IoU {found['mean_iou']:.3f}")


def test_a_smoke_run_on_the_sentences_of_coco200(shared):
    """Blind guesses among the annotated objects for the 14 sentences that name one of them."""
    boxes = read_boxes(open_dataset(shared / "data/coco200", split="test"))
    places = {name: i for i, name in enumerate(open_dataset(shared / "data/coco200", split="test").names)}
    rows = [row for row in read_expressions(shared / "data/coco200").rows if row.annotation_id is not None]
    for choose in (largest_object, central_object):
        predictions, truths, image = [], [], []
        for row in rows:
            i = places[f"images/{row.image}"]
            ids, stack = boxes.of(i).ids.tolist(), np.stack(boxes.truth(i))
            truths.append(stack[ids.index(row.annotation_id)])
            predictions.append(stack[choose(stack)])
            image.append(i)
        words = [len(tokenize(row.sentences[0])) for row in rows]
        found = referring_scores(sentence_counts(predictions, truths, image=image, words=words), bootstrap=0)
        assert found["sentences"] == 14 and found["mean_iou"] < 0.6
        hits = sum(np.array_equal(a, b) for a, b in zip(predictions, truths, strict=True))
        assert found["prec_90"] == pytest.approx(hits / 14)
        print(f"{choose.__name__}: overall IoU {found['overall_iou']:.3f}, mean IoU {found['mean_iou']:.3f}")
