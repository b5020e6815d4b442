"""Predictions and ground truth are compared by the names of their classes, never by their numbers."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.messages import Heard
from tests.stages.chain import (
    CLASSES,
    SIZE,
    header_of,
    predicted,
    truth_of,
    write_cams,
    write_data,
    write_masks,
)
from wsstool import store
from wsstool.data.class_match import joined_classes
from wsstool.data.classlist import class_list, write_class_list
from wsstool.data.masks import write_mask
from wsstool.errors import BadInputError
from wsstool.metrics.confusion import ConfusionMatrix
from wsstool.metrics.segmentation import segmentation_scores
from wsstool.stages.report.report import report
from wsstool.stages.scoring.evaluate import evaluate


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path / "data")


@pytest.fixture
def masks(tmp_path, data):
    return write_masks(tmp_path / "masks.h5", data)


def by_hand(n=3, truth=truth_of):
    confusion = ConfusionMatrix(n)
    for i in range(6):
        confusion.update(predicted(i), truth(i))
    return segmentation_scores(confusion.matrix)


def relist(data, names, *, truth=truth_of):
    """Write the masks of the folder anew under a class list of other numbers."""
    classes = class_list(names)
    write_class_list(data / "classes.txt", classes)
    number = np.full(256, 255, np.uint8)
    for i, name in enumerate(CLASSES.names):
        if name in names:
            number[i] = names.index(name)
    for i in range(6):
        write_mask(data / "masks" / f"p{i}.png", number[truth(i)])


@pytest.mark.parametrize(
    "names",
    [
        ["background", "square", "circle"],
        ["square", "circle", "background"],
        ["background", "triangle", "square", "circle"],
    ],
)
@pytest.mark.parametrize("where", [None, "data", "data/masks"])
def test_another_order_or_one_more_class(tmp_path, data, masks, names, where):
    expected = evaluate([masks])["rows"][0]
    relist(data, names)
    heard = Heard()
    (row,) = evaluate([masks], truth=None if where is None else tmp_path / where, messages=heard)["rows"]
    assert row["miou"] == expected["miou"] == pytest.approx(by_hand().mean_iou)
    assert row["interval"] == expected["interval"] and row["blind"] == expected["blind"]
    iou = dict(row["classes"]["iou"])
    assert iou.pop("triangle", None) is None and iou == expected["classes"]["iou"]
    assert any("only the ground truth has the class triangle" in text for text in heard.lines) == (
        "triangle" in names
    )


def test_a_class_that_the_predictions_do_not_know_counts_as_missed(tmp_path, data, masks):
    """Squares are called triangles in half of the images; the predictions know no triangle."""

    def truth(i):
        return np.where((truth_of(i) == 2) & (i > 2), 3, truth_of(i)).astype(np.uint8)

    names = ["triangle", "background", "square", "circle"]
    classes = class_list(names)
    write_class_list(data / "classes.txt", classes)
    number = np.full(256, 255, np.uint8)
    number[:4] = [1, 3, 2, 0]
    for i in range(6):
        write_mask(data / "masks" / f"p{i}.png", number[truth(i)])
    (row,) = evaluate([masks])["rows"]
    assert row["miou"] == pytest.approx(by_hand(4, truth).mean_iou)
    assert row["classes"]["iou"]["triangle"] == 0
    cams = write_cams(tmp_path / "cam.h5", data)
    assert evaluate([cams], sweep=True)["rows"][0]["classes"]["iou"]["triangle"] == 0
    with pytest.raises(BadInputError, match="'masks' does not know the class 'triangle' of the ground truth"):
        report([masks], output=tmp_path / "report.html")


def test_classes_that_the_truth_lacks(tmp_path, data):
    """A background that no mask has, as tables without a class list add it, changes nothing."""
    relist(data, ["circle", "square"])
    path = tmp_path / "masks.h5"
    header = header_of("mask", data, range(6), shapes=np.tile([1, *SIZE], (6, 1)))
    with store.create(header, path) as writer:
        for i in range(6):
            writer.write(np.where(predicted(i) == 2, 2, 1).astype(np.uint8)[None])
    confusion = ConfusionMatrix(2)
    for i in range(6):
        truth = np.where(truth_of(i) == 0, 255, truth_of(i) - 1).astype(np.uint8)
        truth[truth_of(i) == 255] = 255
        confusion.update(np.where(predicted(i) == 2, 1, 0).astype(np.uint8), truth)
    (row,) = evaluate([path])["rows"]
    assert row["miou"] == pytest.approx(segmentation_scores(confusion.matrix).mean_iou)
    assert row["classes"]["iou"]["background"] is None


@pytest.mark.parametrize("names", [["background", "disc", "square"], ["Circle", "Square"]])
def test_names_that_cannot_be_matched(data, masks, names):
    relist(data, names)
    text = rf"different classes.*: background, circle, square; and {', '.join(names)}$"
    with pytest.raises(BadInputError, match=text):
        evaluate([masks])


def test_a_named_list_is_that_of_the_truth(tmp_path, data, masks):
    expected = evaluate([masks])["rows"]
    relist(data, ["background", "square", "circle"])
    (data / "classes.txt").rename(tmp_path / "mine.txt")
    assert evaluate([masks])["rows"] != expected  # without any list numbers are all there is
    assert evaluate([masks], class_list=tmp_path / "mine.txt")["rows"] == expected
    assert evaluate([masks], class_list="background,square,circle")["rows"] == expected
    evaluate([masks], output=tmp_path / "s.json")
    heard = Heard()
    evaluate([tmp_path / "s.json"], class_list="luad", messages=heard)
    assert heard.lines == ["--class-list does nothing without ground-truth masks"]


def test_a_folder_of_masks_has_a_list_of_its_own(tmp_path, data):
    (tmp_path / "out").mkdir()
    for i in range(6):
        write_mask(tmp_path / "out" / f"p{i}.png", predicted(i), CLASSES)
    write_class_list(tmp_path / "out" / "classes.txt", CLASSES)
    relist(data, ["background", "square", "circle"])
    for options in ({}, {"class_list": data / "classes.txt"}):
        (row,) = evaluate([tmp_path / "out"], truth=data, **options)["rows"]
        assert row["miou"] == pytest.approx(by_hand().mean_iou)


def test_a_list_without_names_is_matched_by_order(tmp_path, data):
    header = header_of(
        "mask",
        data,
        range(6),
        shapes=np.tile([1, *SIZE], (6, 1)),
        classes=class_list(["background", "class-1", "class-2"]),
    )
    with store.create(header, tmp_path / "m.h5") as writer:
        for i in range(6):
            writer.write(predicted(i)[None])
    assert evaluate([tmp_path / "m.h5"])["rows"][0]["miou"] == pytest.approx(by_hand().mean_iou)


def test_a_class_that_no_mask_contains_is_named(data, masks):
    heard = Heard()
    evaluate([masks], messages=heard)
    assert not heard.lines
    for i in range(6):
        write_mask(data / "masks" / f"p{i}.png", np.where(truth_of(i) == 2, 0, truth_of(i)).astype(np.uint8))
    evaluate([masks], messages=heard)
    assert heard.lines == ["no ground-truth mask contains the class square"]


ENCODED = {
    "ids": Image.fromarray,
    "grey": lambda m: Image.fromarray(m * 255),
    "rgb": lambda m: Image.fromarray(np.repeat(m[..., None] * 255, 3, 2)),
    "palette": lambda m: Image.fromarray(m * 255).convert("P"),
    "bits": lambda m: Image.fromarray(m.astype(bool)),
    "alpha": lambda m: Image.fromarray(np.dstack([np.zeros((*m.shape, 3), np.uint8), m * 255])),
    "grey and alpha": lambda m: Image.fromarray(np.dstack([m * 0 + 255, m * 255]), "LA"),
}


class TestBlackAndWhite:
    """Masks of 0 and 255."""

    TWO = class_list(["background", "thing"])

    def folders(self, tmp_path, encode_truth, encode_found, classes=TWO):
        for folder in ("truth", "found"):
            (tmp_path / folder).mkdir()
        for i in range(6):
            things = (truth_of(i) % 255 > 0).astype(np.uint8)
            encode_truth(things).save(tmp_path / "truth" / f"p{i}.png")
            encode_found((predicted(i) > 0).astype(np.uint8)).save(tmp_path / "found" / f"p{i}.png")
        write_class_list(tmp_path / "classes.txt", classes)
        return tmp_path / "found", tmp_path / "truth"

    @pytest.mark.parametrize("found", ["ids", "grey", "rgb", "alpha"])
    @pytest.mark.parametrize("truth", ENCODED)
    def test_white_is_the_object(self, tmp_path, truth, found):
        folders = self.folders(tmp_path, ENCODED[truth], ENCODED[found])
        confusion = ConfusionMatrix(2)
        for i in range(6):
            confusion.update((predicted(i) > 0).astype(np.uint8), (truth_of(i) % 255 > 0).astype(np.uint8))
        heard = Heard()
        (row,) = evaluate([folders[0]], truth=folders[1], messages=heard)["rows"]
        assert row["miou"] == pytest.approx(segmentation_scores(confusion.matrix).mean_iou)
        text = "the 6 masks hold only 0 and 255, so 255 is read as 'thing'"
        assert heard.lines.count(text) == (truth not in ("ids", "bits")) + (found not in ("ids", "bits"))

    @pytest.mark.parametrize("names", ["background cat dog", "cat", "cat dog"])
    def test_other_lists_get_a_warning(self, tmp_path, names):
        folders = self.folders(
            tmp_path, ENCODED["grey"], lambda m: Image.fromarray(m * 0), class_list(names.split())
        )
        heard = Heard()
        evaluate([folders[0]], truth=folders[1], messages=heard)
        assert any("255, which is read as 'ignore'" in text for text in heard.lines)

    def test_one_other_value_makes_255_ignore(self, tmp_path):
        folders = self.folders(tmp_path, ENCODED["grey"], ENCODED["ids"])
        Image.fromarray((truth_of(5) % 255 > 0).astype(np.uint8)).save(folders[1] / "p5.png")
        heard = Heard()
        (row,) = evaluate([folders[0]], truth=folders[1], messages=heard)["rows"]
        assert not heard.lines and json.dumps(row["classes"]["iou"])
        confusion = ConfusionMatrix(2)
        for i in range(6):
            things = (truth_of(i) % 255 > 0).astype(np.uint8)
            confusion.update((predicted(i) > 0).astype(np.uint8), things if i == 5 else things * 255)
        assert row["miou"] == pytest.approx(segmentation_scores(confusion.matrix).mean_iou)


def test_the_match_is_the_only_one():
    """What ``eval`` does is what ``joined_classes`` says."""
    both, ids = joined_classes(CLASSES, class_list(["square", "background"]), "a and b")
    assert both == CLASSES and ids.tolist() == [2, 0]
