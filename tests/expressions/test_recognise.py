"""Files in folders, splits, counts and boxes at the border."""

import json
from dataclasses import replace

import pytest

from tests.expressions.rows import ROWS, instances, lines, ref, refer_folder
from wsstool.errors import MissingInputError, UsageError
from wsstool.expressions.counts import count
from wsstool.expressions.expression import Expression
from wsstool.expressions.formats import coco, jsonl
from wsstool.expressions.recognise import candidates, read_expressions
from wsstool.expressions.splits import in_split, of_split


class TestFolders:
    def test_candidates(self, tmp_path):
        assert candidates(tmp_path) == []
        with pytest.raises(MissingInputError, match="no sentences in"):
            read_expressions(tmp_path)
        (tmp_path / "boxes.json").write_text(json.dumps(instances()))
        (tmp_path / "instances_empty.json").write_text("")
        assert candidates(tmp_path) == []
        jsonl.write(ROWS, tmp_path / "referring.jsonl")
        assert len(read_expressions(tmp_path)) == 4
        coco.write(ROWS, tmp_path / "boxes.json")
        with pytest.raises(
            UsageError, match=r"several files with sentences: referring.jsonl, boxes.json; name"
        ):
            read_expressions(tmp_path)

    def test_several_split_files(self, tmp_path):
        for name in ("refs(google).p", "refs(umd).p"):
            path = refer_folder(tmp_path / "refcocog", [ref()], name=name)
        with pytest.raises(UsageError, match=r"refs\(google\).p, refs\(umd\).p; name one"):
            read_expressions(tmp_path / "refcocog")
        assert len(read_expressions(path)) == 1


class TestSplits:
    @pytest.mark.parametrize(
        ("name", "wanted", "expected"),
        [
            ("train", "train", True),
            ("trainval", "train", False),
            ("val", "val", True),
            ("val", "test", False),
            ("test", "test", True),
            ("testA", "test", True),
            ("testBC", "test", True),
            ("testBC", "testB", True),
            ("testBC", "testC", True),
            ("testBC", "testA", False),
            ("testBC", "testBC", True),
            ("testB", "testBC", False),
            ("test", "testA", False),
            (None, "test", False),
        ],
    )
    def test_names(self, name, wanted, expected):
        assert in_split(name, wanted) is expected

    def test_no_such_split(self):
        assert of_split(ROWS, None, "x") == ROWS
        assert [row.split for row in of_split(ROWS, "test", "x")] == ["testA", "testB"]
        with pytest.raises(
            UsageError, match="no split 'testC' in file 'x'; there are: train, testA, testB, val"
        ):
            of_split(ROWS, "testC", "file 'x'")


def test_counts(tmp_path):
    rows = [
        {"image": "a", "sentences": ["red star", "the star"], "box": [0, 0, 1, 1], "split": "train"},
        {"image": "a", "sentences": ["blue star!"], "split": "val"},
        {"image": "b", "sentences": ["x " * 300, "moon"], "no_target": True, "split": "val"},
    ]
    found = read_expressions(lines(tmp_path, *rows))
    assert count(found, found.rows) == {
        "images": 2, "objects": 3, "sentences": 5, "words": 2 + 2 + 3 + 300 + 1, "sentences_cut": 1,
        "vocabulary": 3, "unknown_words": 2 + 300 + 1, "objects_without_box": 1,
        "sentences_without_target": 2,
        "splits": {"train": {"objects": 1, "sentences": 2}, "val": {"objects": 2, "sentences": 3}},
    }  # fmt: skip
    assert count(found, of_split(found.rows, "val", ""))["unknown_words"] == 303


def test_boxes_are_cut_at_the_border():
    one = Expression("a", ("x",), (-1.0, 1.0, 8.0, 3.0))
    assert one.inside((4, 6)) == replace(one, box=(0, 1, 6, 3), size=(4, 6))
    assert replace(one, box=(6.0, 0.0, 9.0, 9.0)).inside((4, 6)) is None
    assert replace(one, box=(1.0, 1.0, 1.0, 3.0)).inside((4, 6)) is None
    assert replace(one, box=None).inside((4, 6)).size == (4, 6)
