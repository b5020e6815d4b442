"""Drawn scenes with sentences: every sentence names one object, by an evaluator of its own."""

import json
from collections import Counter

import numpy as np
import pytest

from tests.data.sentence_meaning import Seen, objects_named
from wsstool.data.dataset import open_dataset
from wsstool.data.geometry import rle
from wsstool.data.sample.referring.meaning import (
    NEAR,
    Item,
    at,
    beside,
    conjunction,
    named,
    negation,
    ranked,
)
from wsstool.stages.program.sample import sample

SIZE = 64
SCENES = 160


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("referring") / "set"
    sample(output=folder, kind="referring", count=SCENES, size=SIZE)
    return folder


@pytest.fixture(scope="module")
def rows(folder):
    return [json.loads(line) for line in (folder / "referring.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def scenes(folder):
    """Image name -> its objects, from the annotation file alone."""
    data = json.loads((folder / "boxes.json").read_text())
    files = {image["id"]: image["file_name"] for image in data["images"]}
    kinds = {category["id"]: category["name"] for category in data["categories"]}
    found = {name: [] for name in files.values()}
    for one in data["annotations"]:
        x, y, width, height = one["bbox"]
        centre = (x + width / 2) / SIZE, (y + height / 2) / SIZE
        seen = Seen(one["id"], kinds[one["category_id"]], *one["attributes"].values(), *centre, one["area"])
        found[files[one["image_id"]]].append(seen)
    return found


def pairs(rows):
    return [(row, sentence) for row in rows for sentence in row["sentences"]]


def test_every_sentence_names_its_object_and_no_other(rows, scenes):
    wrong = [
        (row["image"], sentence)
        for row, sentence in pairs(rows)
        if [one.number for one in objects_named(sentence, scenes[row["image"]])] != [row["ann_id"]]
    ]
    assert len(pairs(rows)) > 1200 and not wrong


def test_sentences_of_other_scenes_rarely_hold(rows, scenes):
    """The evaluator can say no: sentences about another scene name the same object by chance only."""
    held = 0
    for (row, _), (_, sentence) in zip(pairs(rows), pairs(rows)[40:], strict=False):
        try:
            held += [one.number for one in objects_named(sentence, scenes[row["image"]])] == [row["ann_id"]]
        except ValueError:  # the object that it refers to is not there
            continue
    assert held / len(pairs(rows)) < 0.15


def test_forms_and_words_are_many(rows):
    texts = [sentence for _, sentence in pairs(rows)]
    words = Counter(word for text in texts for word in text.split())
    for word in (
        "left",
        "second",
        "third",
        "not",
        "neither",
        "without",
        "closest",
        "above",
        "largest",
        "one",
    ):
        assert words[word] >= 3, word
    assert len(words) > 60 and len(set(texts)) > 0.6 * len(texts)
    assert max(len(text.split()) for text in texts) <= 20
    assert {len(row["sentences"]) for row in rows} <= {1, 2, 3, 4} and len(texts) > 2.5 * len(rows)


def test_objects_share_their_kind(rows):
    shared = Counter((row["image"], row["category"]) for row in rows)
    most = {}
    for (image, _), n in shared.items():
        most[image] = max(n, most.get(image, 0))
    assert len(most) == SCENES and min(most.values()) >= 2


def test_masks_and_boxes_are_those_of_the_annotation_file(folder, rows):
    data = open_dataset(folder)
    annotations = {a["id"]: a for a in json.loads((folder / "boxes.json").read_text())["annotations"]}
    for row in rows:
        one = annotations[row["ann_id"]]
        assert (row["box"], row["mask"]) == (one["bbox"], one["segmentation"])
        mask = rle.decode(row["mask"])
        i = data.names.index(f"images/{row['image']}")
        assert (data.mask(i)[mask] == data.classes.names.index(row["category"])).all()


def test_splits_are_those_of_the_scenes(folder, rows):
    for split in ("train", "val", "test"):
        listed = {f"{stem}.jpg" for stem in (folder / "splits" / f"{split}.txt").read_text().split()}
        assert {row["image"] for row in rows if row["split"] == split} == listed


def test_words_of_test_sentences_are_known(folder):
    from wsstool.stages.streams.info import info

    counts = info(folder, split="test")["expressions"]
    assert counts["objects"] > 100 and counts["unknown_words"] <= 0.01 * counts["words"]


def test_smallest_images(tmp_path):
    sample(output=tmp_path / "s", kind="referring", count=6, size=32)
    assert len(open_dataset(tmp_path / "s")) == 6


def item(x=0.5, y=0.5):
    return Item("star", "red", "plain", "small", x, y, 0.1)


class TestMeaning:
    @pytest.mark.parametrize(
        ("x", "y", "place", "truth"),
        [
            (0.3, 0.5, "left", True),
            (0.45, 0.5, "left", None),
            (0.7, 0.5, "left", False),
            (0.7, 0.5, "right", True),
            (0.5, 0.2, "top", True),
            (0.5, 0.2, "bottom", False),
            (0.3, 0.2, "top left", True),
            (0.5, 0.2, "top left", None),
            (0.5, 0.8, "top left", False),
            (0.55, 0.5, "middle", True),
            (0.7, 0.5, "middle", None),
            (0.9, 0.5, "middle", False),
        ],
    )
    def test_places(self, x, y, place, truth):
        assert at(item(x, y), place) is truth

    @pytest.mark.parametrize(
        ("x", "y", "side", "truth"),
        [
            (0.3, 0.5, "left", True),
            (0.3, 0.5, "right", False),
            (0.3, 0.9, "left", None),
            (0.48, 0.5, "left", None),
            (0.5, 0.2, "top", True),
            (0.5, 0.2, "bottom", False),
            (0.6, 0.8, "bottom", True),
        ],
    )
    def test_relations(self, x, y, side, truth):
        assert beside(item(x, y), item(), side) is truth

    def test_logic_of_three_values(self):
        assert [conjunction(a, b) for a in (True, None, False) for b in (True, None, False)] == [
            True, None, False, None, None, False, False, False, False,
        ]  # fmt: skip
        assert conjunction() is True and [negation(t) for t in (True, None, False)] == [False, None, True]
        assert named([]) is None and named([False]) is None and named([False, True, None]) is None

    def test_ranks(self):
        keys = [0.5, 0.1, 0.9, 0.12]
        assert ranked([True, True, True, False], keys, NEAR, 0) == [False, True, False, False]
        assert ranked([True, True, True, False], keys, NEAR, 2) == [False, False, True, False]
        assert ranked([True, True, True, True], keys, NEAR, 0) == [None] * 4  # too near the next
        assert ranked([True, True, True, True], keys, NEAR, 3) == [False, False, True, False]
        assert ranked([True, None, True, False], keys, NEAR, 0) == [None] * 4
        assert ranked([True, False, False, False], keys, NEAR, 0) == [None] * 4
        assert ranked([True, True, False, False], keys, NEAR, 2) == [None] * 4


def test_images_differ_in_what_words_need(folder):
    """Attributes are spread: no word names most objects."""
    annotations = json.loads((folder / "boxes.json").read_text())["annotations"]
    for name, number in (("colour", 6), ("texture", 4), ("size", 2)):
        counts = Counter(a["attributes"][name] for a in annotations)
        assert len(counts) == number
        assert max(counts.values()) < 1.6 * np.mean(list(counts.values()))
