"""Confusion matrices and the scores read from them, against torchmetrics and paper examples."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsstool.metrics.confusion import ConfusionMatrix, count_pairs
from wsstool.metrics.segmentation import definition, image_mean_ious, mean_ious, segmentation_scores


def maps(seed: int, n: int, classes: int, shape=(23, 31), blocks: int = 1, ignore: float = 0.1):
    """n pairs (prediction, truth) of random label maps; ``blocks`` makes them flat."""
    rng = np.random.default_rng(seed)

    def draw():
        small = rng.integers(0, classes, [math.ceil(s / blocks) for s in shape], dtype=np.uint8)
        return np.kron(small, np.ones((blocks, blocks), np.uint8))[: shape[0], : shape[1]]

    pairs = []
    for _ in range(n):
        truth = draw()
        prediction = np.where(rng.random(shape) < 0.6, truth, draw()) if blocks == 1 else draw()
        truth = truth.copy()
        truth[rng.random(shape) < ignore if blocks == 1 else np.s_[:2]] = 255
        pairs.append((prediction.astype(np.uint8), truth))
    return pairs


def by_hand(prediction, truth, classes):
    table = np.zeros((classes, classes + 1), np.int64)
    for p, t in zip(prediction.ravel(), truth.ravel(), strict=True):
        if t != 255:
            table[t, min(p, classes)] += 1
    return table


@pytest.mark.parametrize("blocks", [1, 7])
@pytest.mark.parametrize("classes", [1, 2, 21, 254])
def test_counts_equal_a_plain_loop(blocks, classes):
    for prediction, truth in maps(classes, 3, classes, blocks=blocks):
        prediction[:3, :4] = 255
        table, ignored = count_pairs(prediction, truth, classes)
        assert (table == by_hand(prediction, truth, classes)).all()
        assert ignored == (truth == 255).sum()


def test_large_maps_are_counted_in_parts(monkeypatch):
    pairs = list(maps(3, 3, 3, blocks=2))
    whole = [count_pairs(*pair, 3) for pair in pairs]
    monkeypatch.setattr("wsstool.metrics.confusion._AT_ONCE", 7)
    for pair, (table, ignored) in zip(pairs, whole, strict=True):
        again, unseen = count_pairs(*pair, 3)
        assert (again == table).all() and unseen == ignored


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(0, 5), st.integers(0, 5), st.data())
def test_counts_of_any_maps(classes, rows, columns, data):
    label = st.one_of(st.integers(0, classes - 1), st.just(255))
    draw = st.lists(label, min_size=rows * columns, max_size=rows * columns)
    prediction, truth = (np.array(data.draw(draw), np.uint8).reshape(rows, columns) for _ in "pt")
    table, ignored = count_pairs(prediction, truth, classes)
    assert (table == by_hand(prediction, truth, classes)).all()
    assert table.sum() + ignored == truth.size


@pytest.mark.parametrize("blocks", [1, 5])
def test_iou_equals_torchmetrics(blocks):
    torch = pytest.importorskip("torch")
    classification = pytest.importorskip("torchmetrics.classification")
    ours = ConfusionMatrix(5)
    macro = classification.MulticlassJaccardIndex(5, average="macro", ignore_index=255)
    each = classification.MulticlassJaccardIndex(5, average="none", ignore_index=255)
    accuracy = classification.MulticlassAccuracy(5, average="micro", ignore_index=255)
    for prediction, truth in maps(0, 4, 4, blocks=blocks):  # class 4 is absent
        ours.update(prediction, truth)
        pair = torch.from_numpy(prediction.astype(np.int64)), torch.from_numpy(truth.astype(np.int64))
        for metric in (macro, each, accuracy):
            metric.update(*pair)
    scores = segmentation_scores(ours.matrix)
    assert scores.mean_iou == pytest.approx(float(macro.compute()), abs=1e-6)
    assert scores.iou[:4] == pytest.approx(each.compute().numpy()[:4], abs=1e-6)
    assert scores.pixel_accuracy == pytest.approx(float(accuracy.compute()), abs=1e-6)
    assert math.isnan(scores.iou[4]) and scores.to_json()["iou"][4] is None


def test_scores_on_paper():
    # truth 0: 6 px, 4 right, 1 as class 1, 1 ignored; truth 1: 4 px, 3 right, 1 as class 2 (no truth)
    matrix = np.array([[4, 1, 0, 1], [0, 3, 1, 0], [0, 0, 0, 0]])
    scores = segmentation_scores(matrix)
    assert scores.iou.tolist() == [4 / 6, 3 / 5, 0]
    assert scores.mean_iou == pytest.approx((4 / 6 + 3 / 5) / 3)
    assert scores.pixel_accuracy == 0.7
    assert scores.mean_accuracy == pytest.approx((4 / 6 + 3 / 4) / 2)
    assert scores.frequency_weighted_iou == pytest.approx(0.6 * 4 / 6 + 0.4 * 3 / 5)
    assert scores.false_positive.tolist() == pytest.approx([0, 1 - 4 / 5, 1])
    assert scores.false_negative.tolist() == pytest.approx([1 - 4 / 6, 1 - 4 / 5, 0])
    with_truth = segmentation_scores(matrix, classes_with_truth=True)
    assert with_truth.mean_iou == pytest.approx((4 / 6 + 3 / 5) / 2)
    assert segmentation_scores(matrix, ignored_prediction="skip").iou[0] == 4 / 5
    assert segmentation_scores(matrix, ignored_prediction="background", background=0).iou[0] == 5 / 6
    with pytest.raises(ValueError, match="has no background class"):
        segmentation_scores(matrix, ignored_prediction="background")


def test_ignored_class_is_the_tissue_rule():
    """Where the truth is the ignored class any prediction is right, and the class leaves the means."""
    pairs = maps(3, 3, 4, ignore=0)
    ours = ConfusionMatrix(4)
    published = np.zeros((4, 4), np.int64)
    for prediction, truth in pairs:
        ours.update(prediction, truth)
        repaired = np.where(truth == 3, truth, prediction)
        published += by_hand(repaired, truth, 4)[:, :4]
    published[3, 3] = 0
    expected = [
        published[c, c] / (published[c].sum() + published[:, c].sum() - published[c, c]) for c in range(3)
    ]
    scores = segmentation_scores(ours.matrix, ignore_class=3)
    assert scores.iou[:3] == pytest.approx(expected)
    assert scores.mean_iou == pytest.approx(np.mean(expected))
    assert math.isnan(scores.iou[3])


def test_merged_shards_equal_one_pass():
    pairs = maps(1, 7, 6)
    whole = ConfusionMatrix(6, keep_images=True)
    merged = ConfusionMatrix(6, keep_images=True)
    for shard in (pairs[:2], pairs[2:2], pairs[2:]):
        part = ConfusionMatrix(6, keep_images=True)
        for pair in shard:
            part.update(*pair)
        merged.merge(part)
    for pair in pairs:
        whole.update(*pair)
    assert (whole.matrix == merged.matrix).all()
    assert (whole.ignored, whole.n_images) == (merged.ignored, merged.n_images)
    for name in ("image", "cell", "count"):
        assert (getattr(whole.images(), name) == getattr(merged.images(), name)).all()


@pytest.mark.parametrize("ignored", ["wrong", "background", "skip"])
def test_many_matrices_equal_one_by_one(ignored):
    rng = np.random.default_rng(0)
    matrices = rng.integers(0, 9, (8, 4, 5)) * (rng.random((8, 4, 5)) < 0.4)
    matrices[0] = 0
    options = {"ignored_prediction": ignored, "background": 0, "ignore_class": 2}
    expected = [segmentation_scores(m, **options).mean_iou for m in matrices]
    assert mean_ious(matrices, **options) == pytest.approx(expected, nan_ok=True)


def test_image_scores_are_those_of_one_image_matrices():
    pairs = maps(2, 4, 3)
    pairs.insert(2, (pairs[0][0], np.full_like(pairs[0][1], 255)))
    confusion = ConfusionMatrix(3, keep_images=True)
    for pair in pairs:
        confusion.update(*pair)
    expected = [segmentation_scores(by_hand(*pair, 3)).mean_iou for pair in pairs]
    assert image_mean_ious(confusion.images(), 3) == pytest.approx(expected, nan_ok=True)
    assert math.isnan(expected[2])


@pytest.mark.parametrize(
    ("prediction", "truth", "message"),
    [
        (np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8), "2 x 2, but the ground truth 2 x 3"),
        (np.full((2, 2), 7, np.uint8), np.zeros((2, 2), np.uint8), "prediction contains 7"),
        (np.zeros((2, 2), np.uint8), np.full((2, 2), 9, np.uint8), "ground truth contains 9"),
        (np.zeros((2, 2), np.int64), np.zeros((2, 2), np.uint8), "uint8"),
    ],
)
def test_bad_maps_are_refused(prediction, truth, message):
    with pytest.raises(ValueError, match=message):
        ConfusionMatrix(3).update(prediction, truth)


def test_empty_set_gives_nan_not_zero():
    scores = segmentation_scores(ConfusionMatrix(3).matrix)
    assert math.isnan(scores.mean_iou) and scores.to_json()["miou"] is None


def test_definition_says_what_was_chosen():
    assert "truth or prediction; predictions of 255 are wrong" in definition()
    text = definition(classes_with_truth=True, ignored_prediction="skip", ignore_class="white")
    assert "with truth;" in text and "left out" in text and "white" in text
