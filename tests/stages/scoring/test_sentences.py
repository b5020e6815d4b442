"""``eval`` of sentences against sums by hand: every sentence is a sample, whatever file holds its mask."""

import json
import math

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.messages import Heard
from tests.stages.object_sets import SIZE
from tests.stages.sentence_sets import ROWS, truths, write_entries, write_sentences, written_rows
from wsstool import store
from wsstool.cli.app import app
from wsstool.errors import BadInputError, BelowThresholdError, MissingInputError, UsageError
from wsstool.stages.exchange.import_masks import import_masks
from wsstool.stages.scoring.evaluate import columns, evaluate

TEXTS = [text for i in range(5) for image, _, texts, _, _ in ROWS if image == i for text in texts]
TARGET = [truth.any() for truth in truths()]


def moved(k, mask):
    """A wrong prediction: shifted by ``k`` pixels; nothing for one of the sentences without a target."""
    return np.roll(mask, k, 1) if TARGET[k] else np.full_like(mask, k == 6)


def overlaps(change=moved, chosen=range(9)):
    """Intersection and union of each sentence with a target, counted pixel by pixel."""
    found = []
    for k, truth in enumerate(truths()):
        if TARGET[k] and k in chosen:
            mask = change(k, truth)
            pixels = [(mask[p], truth[p]) for p in np.ndindex(*SIZE)]
            found.append((sum(a and b for a, b in pixels), sum(a or b for a, b in pixels)))
    return found


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_sentences(tmp_path_factory.mktemp("sentences") / "data")


@pytest.fixture(scope="module")
def predicted(root):
    return write_entries(root.parent / "n.h5", root, change=moved)


def test_scores_are_those_by_hand(predicted):
    found = evaluate(predicted)
    (row,) = found["rows"]
    pairs = overlaps()
    ious = [a / b for a, b in pairs]
    assert (found["kind"], found["images"], row["sentences"]) == ("sentences", 5, 7)
    assert row["overall_iou"] == pytest.approx(sum(a for a, _ in pairs) / sum(b for _, b in pairs))
    assert row["mean_iou"] == pytest.approx(sum(ious) / 7)
    for limit in (50, 60, 70, 80, 90):
        assert row[f"prec_{limit}"] == sum(iou >= limit / 100 for iou in ious) / 7
    assert row["no_target"] == {"sentences": 2, "right": 1, "accuracy": 0.5}
    assert row["interval"]["mean_iou"]["units"] == 4  # images with a target
    json.dumps(found, allow_nan=False)


def test_parts_are_those_by_hand(predicted):
    row = evaluate(predicted, bootstrap=0)["rows"][0]
    named = [k for k in range(9) if TARGET[k]]
    ious = {k: a / b for k, (a, b) in zip(named, overlaps(), strict=True)}
    words = {k: len(TEXTS[k].split()) for k in named}
    for name, (low, high) in {"1-2": (1, 2), "3": (3, 3), "4-5": (4, 5), "6-20": (6, 20)}.items():
        chosen = [ious[k] for k in named if low <= words[k] <= high]
        assert row["by_length"][name]["sentences"] == len(chosen)
        if chosen:
            assert row["by_length"][name]["mean_iou"] == pytest.approx(sum(chosen) / len(chosen))
    areas = {k: truths()[k].sum() for k in named}
    small = [ious[k] for k in named if areas[k] < 32 * 32]
    assert row["by_size"]["small"]["mean_iou"] == pytest.approx(np.mean(small))
    assert row["by_size"]["medium"]["sentences"] == len(named) - len(small) > 0
    drawn = [ious[k] for k in named if k < 4]  # the sentences of image 0
    assert row["by_dataset"]["drawn"]["mean_iou"] == pytest.approx(np.mean(drawn))
    assert row["by_dataset"]["other"]["sentences"] == len(named) - len(drawn)


def test_blind_baselines_are_those_by_hand(predicted):
    """In images 0 and 4 the block has more pixels; the disc of image 4 is nearest to the centre."""
    row = evaluate(predicted)["rows"][0]
    images = [0, 0, 0, 0, 1, 2, 3, 4, 4]
    from tests.stages.object_sets import truth_of

    for name, choose in {
        "largest object": lambda masks: max(masks, key=lambda m: m.sum()),
        "central object": lambda masks: min(
            masks,
            key=lambda m: math.dist(np.argwhere(m).mean(0), ((SIZE[0] - 1) / 2, (SIZE[1] - 1) / 2)),
        ),
    }.items():
        pairs = []
        for image, truth in zip(images, truths(), strict=True):
            if truth.any():
                mask = choose([one for _, one in truth_of(image)])
                pairs.append(((mask & truth).sum(), (mask | truth).sum()))
        baseline = row["baselines"][name]
        expected = sum(a for a, _ in pairs) / sum(b for _, b in pairs)
        assert baseline["overall_iou"] == pytest.approx(expected)
        assert baseline["mean_iou"] == pytest.approx(np.mean([a / b for a, b in pairs]))
        assert baseline["gain"] == pytest.approx(row["overall_iou"] / expected)


def test_all_files_of_the_same_masks_score_alike(root, predicted, tmp_path):
    whole = evaluate(predicted)
    masks = write_entries(tmp_path / "n.h5", root, "mask", moved)
    assert evaluate(masks) == whole
    assert evaluate(predicted, expressions=root / "referring.jsonl") == whole
    assert evaluate(predicted, truth=root) == whole


def test_a_split_is_by_object(predicted):
    assert evaluate(predicted, split="val")["rows"][0]["sentences"] == 3
    found = evaluate(predicted, split="test")  # testA and testB
    assert found["rows"][0]["sentences"] == 4 and found["images"] == 4
    pairs = overlaps(chosen=range(4, 9))
    assert found["rows"][0]["overall_iou"] == pytest.approx(
        sum(a for a, _ in pairs) / sum(b for _, b in pairs)
    )


@pytest.mark.parametrize("folder", ["", "images/"])
def test_a_split_may_be_a_file_of_image_names(root, predicted, tmp_path, folder):
    """The sentences may name images without their folder."""
    (tmp_path / "some.txt").write_text("p0\np4\n")
    rows = [{**row, "image": folder + row["image"].removeprefix("images/")} for row in written_rows()]
    (tmp_path / "named.jsonl").write_text("\n".join(map(json.dumps, rows)))
    given = {"expressions": tmp_path / "named.jsonl", "split": str(tmp_path / "some.txt")}
    row = evaluate(predicted, **given)["rows"][0]
    assert (row["sentences"], row["no_target"]["sentences"]) == (5, 1)


def test_the_split_that_was_predicted_is_the_default(root, tmp_path):
    path = write_entries(tmp_path / "s.h5", root, change=moved, params={"split": "val"})
    assert evaluate(path)["rows"][0]["sentences"] == 3


class TestShuffled:
    @pytest.fixture
    def shuffled(self, root, tmp_path):
        """The same sentences, exchanged within each split but one, which is that of a single image."""
        rows = [{**row, "split": "test", "dataset": None} for row in written_rows()]
        source = tmp_path / "all.jsonl"
        source.write_text("".join(json.dumps(row) + "\n" for row in rows))
        found = import_masks(expressions=source, shuffle=1, output=tmp_path / "shuffled.jsonl")
        assert found["sentences"] == 9
        return tmp_path / "shuffled.jsonl"

    def test_what_language_is_worth(self, root, predicted, shuffled, tmp_path):
        def other(k, mask):
            return np.roll(mask, 20, 1)

        path = write_entries(tmp_path / "other.h5", root, change=other, sentences=shuffled)
        with store.open_records(path) as reader:
            texts = reader.header.sentences
        assert sorted(texts) == sorted(TEXTS) and all(a != b for a, b in zip(texts, TEXTS, strict=True))
        heard = Heard()
        row = evaluate(predicted, shuffled=path, messages=heard)["rows"][0]
        pairs = overlaps(other)
        expected = sum(a for a, _ in pairs) / sum(b for _, b in pairs)
        assert row["baselines"]["shuffled sentences"]["overall_iou"] == pytest.approx(expected)
        assert row["baselines"]["shuffled sentences"]["gain"] == pytest.approx(row["overall_iou"] / expected)
        assert not heard.warned

    def test_masks_of_the_same_sentences_are_refused(self, root, predicted):
        with pytest.raises(BadInputError, match=r"has the same sentences as .* import --shuffle"):
            evaluate(predicted, shuffled=predicted)

    def test_another_network_is_refused(self, root, predicted, shuffled, tmp_path):
        weights = store.Input("weights", {"fingerprint": "1" * 32}, "w.pth")
        path = write_entries(tmp_path / "other.h5", root, sentences=shuffled, inputs=[weights])
        with pytest.raises(BadInputError, match="were not predicted by the same weights"):
            evaluate(predicted, shuffled=path)

    def test_other_objects_are_refused(self, root, predicted, shuffled, tmp_path):
        path = write_entries(tmp_path / "other.h5", root, sentences=shuffled, indices=range(4))
        with pytest.raises(BadInputError, match=r"does not have the objects of 'images/p4.png'"):
            evaluate(predicted, shuffled=path)

    def test_objects_without_sentences_are_refused(self, root, predicted):
        from tests.stages.object_sets import write_maps
        from wsstool.stages.objects.select import select

        folder = root.parent
        select(contour=str(write_maps(folder / "c.h5", root)), method="ellipse", output=folder / "e.h5")
        with pytest.raises(BadInputError, match="has no sentences"):
            evaluate(predicted, shuffled=folder / "e.h5")


def test_failed_images_are_wrong_with_and_without_target(root, tmp_path):
    path = write_entries(tmp_path / "s.h5", root, failed=(0, 3))
    heard = Heard()
    row = evaluate(path, bootstrap=0, messages=heard)["rows"][0]
    assert row["sentences"] == 7 and row["mean_iou"] == pytest.approx(4 / 7)
    areas = [truth.sum() for truth in truths() if truth.any()]
    assert row["overall_iou"] == pytest.approx(sum(areas[3:]) / sum(areas))
    assert row["no_target"] == {"sentences": 2, "right": 0, "accuracy": 0.0}
    assert heard.warned == ["2 images failed in an earlier stage; their sentences count as wrong"]


def test_parts_join_to_the_whole(root, predicted, tmp_path):
    whole = evaluate(predicted, output=tmp_path / "whole.json")
    for name, indices in {"a": (1, 3), "b": (0, 2, 4)}.items():
        path = write_entries(
            tmp_path / f"{name}.h5",
            root,
            change=lambda k, mask: mask,
            indices=indices,
            params={"shard": "0/2"},
        )
        evaluate(path, output=tmp_path / f"{name}.json")
    perfect = write_entries(tmp_path / "p.h5", root)
    joined, at_once = evaluate([tmp_path / "a.json", tmp_path / "b.json"]), evaluate(perfect)
    assert joined["rows"] == at_once["rows"] and joined["images"] == 5
    assert evaluate(tmp_path / "whole.json") == whole
    with pytest.raises(BadInputError, match=r"scores image 'images/p0.png' again"):
        evaluate([tmp_path / "b.json", tmp_path / "whole.json"])


def test_masks_may_stand_with_the_annotations(root, predicted, tmp_path):
    """Rows without a mask have that of their annotation; without one they are left out and counted."""
    numbers = {(0, 0): 100, (0, 1): 101, (1, 1): 103, (2, 0): 104, (4, 0): 105}
    lines = []
    for row, (image, which, *_) in zip(written_rows(), ROWS, strict=True):
        row["mask"] = None
        if (image, which) in numbers:
            row["ann_id"] = numbers[image, which]
        lines.append(json.dumps(row) + "\n")
    source = tmp_path / "by-annotation.jsonl"
    source.write_text("".join(lines))
    expected = evaluate(predicted)["rows"][0]
    assert evaluate(predicted, expressions=source)["rows"][0] == expected
    source.write_text("".join(lines[:4]) + lines[4].replace("104", "999") + "".join(lines[5:]))
    heard = Heard()
    found = evaluate(predicted, expressions=source, messages=heard)
    assert found["without_truth"] == 1 and found["rows"][0]["sentences"] == 6
    assert heard.warned == ["left out 1 sentences whose object has no ground-truth mask"]


def test_sentences_that_were_not_predicted(root, tmp_path):
    more = tmp_path / "more.jsonl"
    rows = written_rows()
    rows[0]["sentences"].append("another way to say it")
    more.write_text("".join(json.dumps(row) + "\n" for row in rows))
    heard = Heard()
    path = write_entries(tmp_path / "s.h5", root, indices=range(4))
    found = evaluate(path, expressions=more, messages=heard)
    assert found["missing"] == 1 and found["rows"][0]["sentences"] == 5
    assert heard.warned == [
        f"2 sentences of sentence file '{more}' are about images without predictions and are not scored",
        f"1 sentences of sentence file '{more}' were not predicted and are left out",
    ]


class TestRefusals:
    def test_a_sentence_that_the_set_does_not_have(self, root, predicted, tmp_path):
        fewer = tmp_path / "fewer.jsonl"
        rows = written_rows()
        rows[0]["sentences"] = ["the disc"]
        fewer.write_text("".join(json.dumps(row) + "\n" for row in rows))
        with pytest.raises(
            BadInputError, match="has no sentence 'the round thing on the left' about object 50 of"
        ):
            evaluate(predicted, expressions=fewer)

    def test_other_images(self, predicted, tmp_path):
        other = tmp_path / "other.jsonl"
        other.write_text(json.dumps({"image": "z.png", "sentence": "a"}) + "\n")
        with pytest.raises(BadInputError, match=r"names none of the 5 predicted images, but 'z.png'"):
            evaluate(predicted, expressions=other)

    def test_another_size(self, root, predicted, tmp_path):
        other = tmp_path / "other.jsonl"
        rows = [{**row, "height": 20} for row in written_rows()]
        other.write_text("".join(json.dumps(row) + "\n" for row in rows))
        with pytest.raises(
            BadInputError, match="is 56 x 20 pixels, but its masks were predicted for 56 x 40"
        ):
            evaluate(predicted, expressions=other)

    def test_no_images_and_no_sentences(self, root, tmp_path):
        path = write_entries(tmp_path / "s.h5", root, image_root=tmp_path / "gone")
        with pytest.raises(MissingInputError, match="name the sentences with --expressions"):
            evaluate(path)
        found = evaluate(path, expressions=root / "referring.jsonl")
        assert found["rows"][0]["overall_iou"] == 1, found

    def test_options_of_other_files(self, root, predicted, tmp_path):
        evaluate(predicted, output=tmp_path / "s.json")
        with pytest.raises(UsageError, match="--expressions needs masks of sentences"):
            evaluate(tmp_path / "s.json", expressions=root)
        with pytest.raises(UsageError, match="no split 'nowhere'"):
            evaluate(predicted, split="nowhere")
        with pytest.raises(UsageError, match="--shuffle is for sentences"):
            import_masks(root / "boxes.json", shuffle=0, output=tmp_path / "x.h5")

    def test_below_a_limit(self, predicted):
        with pytest.raises(BelowThresholdError, match=r"prec-90 is 0\.2857, below 0\.5"):
            evaluate(predicted, fail_under="prec-90=0.5")
        with pytest.raises(BelowThresholdError, match=r"overall-iou is 0\.79"):
            evaluate(predicted, fail_under="0.99")


def test_every_score_is_printed_with_its_definition(predicted):
    texts = [str(part) for part in columns(evaluate(predicted))]
    for definition in ("sum of all intersections by sum of all unions", "mean over sentences of the IoU"):
        assert any(definition in text for text in texts)
    assert any("largest object" in text and "ground-truth mask" in text for text in texts)


def test_on_the_command_line(root, predicted):
    found = CliRunner().invoke(app, ["eval", str(predicted), "--json", "--fail-under", "mean-iou=0.1"])
    assert found.exit_code == 0 and json.loads(found.stdout)["rows"][0]["sentences"] == 7
    assert CliRunner().invoke(app, ["eval", str(predicted), "--fail-under", "0.9"]).exit_code == 4
