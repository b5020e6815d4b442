"""``eval --against`` of sentences: the paired difference of two methods."""

import json

import numpy as np
import pytest

from tests.stages.sentence_sets import truths, write_entries, write_sentences
from wsstool.errors import BadInputError
from wsstool.stages.scoring.evaluate import columns, evaluate

TARGET = [truth.any() for truth in truths()]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_sentences(tmp_path_factory.mktemp("sentences") / "data")


@pytest.fixture(scope="module")
def predicted(root):
    def moved(k, mask):
        return np.roll(mask, k, 1) if TARGET[k] else np.zeros_like(mask)

    return write_entries(root.parent / "n.h5", root, change=moved)


@pytest.fixture(scope="module")
def perfect(root):
    evaluate(write_entries(root.parent / "perfect.h5", root), output=root.parent / "perfect.json")
    return root.parent / "perfect.json"


def test_the_difference_is_that_of_the_scores(predicted, perfect):
    found = evaluate(predicted, against=perfect)
    (row,) = found["rows"]
    (other,) = evaluate(perfect)["rows"]
    for name in ("overall_iou", "mean_iou"):
        assert row["against"][name] == pytest.approx(row[name] - other[name])
        ends = row["against"]["interval"][name]
        assert ends["low"] < row["against"][name] < ends["high"] <= 0
    texts = [part for part in columns(found) if isinstance(part, str)]
    assert sum("against" in text and "95 % from -" in text for text in texts) == 2


def test_images_are_drawn_for_both_at_once(predicted, tmp_path):
    """A method differs from itself by nothing, in every resample."""
    evaluate(predicted, output=tmp_path / "same.json")
    found = evaluate(predicted, against=tmp_path / "same.json")["rows"][0]["against"]
    assert found["overall_iou"] == found["mean_iou"] == 0
    assert all(one["low"] == one["high"] == 0 for one in found["interval"].values())


def test_the_order_of_images_does_not_matter(root, predicted, tmp_path):
    for name, indices in {"a": (1, 3), "b": (0, 2, 4)}.items():
        part = write_entries(tmp_path / f"{name}.h5", root, indices=indices, params={"shard": "0/2"})
        evaluate(part, output=tmp_path / f"{name}.json")
    parts = [tmp_path / "a.json", tmp_path / "b.json"]
    evaluate(predicted, output=tmp_path / "whole.json")
    found = evaluate(parts, against=tmp_path / "whole.json")["rows"][0]
    assert found["against"]["mean_iou"] == pytest.approx(1 - evaluate(predicted)["rows"][0]["mean_iou"])


def test_other_images_and_sentences_are_refused(root, predicted, tmp_path):
    part = write_entries(tmp_path / "part.h5", root, indices=range(4), params={"shard": "0/2"})
    evaluate(part, output=tmp_path / "part.json")
    with pytest.raises(BadInputError, match=r"score different images \(such as 'images/p4.png'\)"):
        evaluate(predicted, against=tmp_path / "part.json")
    evaluate(predicted, output=tmp_path / "odd.json")
    odd = json.loads((tmp_path / "odd.json").read_text())
    odd["per_sentence"]["words"][0] += 1
    (tmp_path / "odd.json").write_text(json.dumps(odd))
    with pytest.raises(BadInputError, match="its checksum does not match"):
        evaluate(predicted, against=tmp_path / "odd.json")
    del odd["crc32"]
    (tmp_path / "odd.json").write_text(json.dumps({**odd, "wsstool_scores": 1}))
    with pytest.raises(BadInputError, match="score different sentences"):
        evaluate(predicted, against=tmp_path / "odd.json")
