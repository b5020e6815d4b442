"""What each format is read as, and what is refused."""

import json

import pytest

from tests.expressions.rows import RLE, instances, lines, ref, refer_folder
from wsstool.errors import BadInputError, MissingInputError
from wsstool.expressions.expression import Expression
from wsstool.expressions.recognise import read_expressions


class TestJsonLines:
    def test_other_names_of_fields(self, tmp_path):
        rows = [
            {
                "file_name": "a.jpg",
                "expression": "red",
                "bbox": [1, 2, 3, 4],
                "segmentation": RLE,
                "other": 1,
            },
            {"image": "a.jpg", "caption": "blue", "annotation_id": 5},
            {"image": "a.jpg", "sentences": [{"raw": "Green"}], "bbox": None},
        ]
        for path in (lines(tmp_path, *rows), lines(tmp_path, rows, name="x.json")):
            red, blue, green = read_expressions(path).rows
            assert red.box == (1, 2, 4, 6) and red.mask == RLE and not red.no_target
            assert blue.annotation_id == 5 and blue.box is None and not blue.no_target
            assert green.sentences == ("Green",) and green.no_target

    def test_one_line_per_sentence(self, tmp_path):
        one = {"image": "a.jpg", "ref_id": 1, "box": [1, 2, 3, 4]}
        found = read_expressions(lines(tmp_path, *({**one, "sentence": text} for text in ("red", "left"))))
        assert [row.sentences for row in found.rows] == [("red", "left")]

    def test_one_id_in_two_sets_is_two_objects(self, tmp_path):
        rows = [{"image": n, "ref_id": 1, "sentence": "x", "dataset": n} for n in ("a", "b")]
        assert len(read_expressions(lines(tmp_path, *rows))) == 2

    @pytest.mark.parametrize("other", [{"image": "b.jpg"}, {"box": [0, 0, 1, 1]}])
    def test_two_objects_of_one_id_are_refused(self, tmp_path, other):
        one = {"image": "a.jpg", "ref_id": 1, "box": [1, 2, 3, 4], "sentence": "red"}
        with pytest.raises(BadInputError, match=r"has two objects with the id 1, in 'a.jpg'"):
            read_expressions(lines(tmp_path, one, one | other))

    @pytest.mark.parametrize("other", [{"image": "b.jpg"}, {"box": [5, 6, 3, 4]}])
    def test_two_objects_of_one_annotation_are_refused(self, tmp_path, other):
        one = {"image": "a.jpg", "ann_id": 7, "box": [1, 2, 3, 4], "sentence": "x"}
        assert len(read_expressions(lines(tmp_path, one, {**one, "box": [1, 2, 3, 3]}))) == 2
        with pytest.raises(BadInputError, match=r"two objects with the annotation id 7, in 'a\.jpg'"):
            read_expressions(lines(tmp_path, one, {**one, **other}))

    @pytest.mark.parametrize("field", ["sentence", "split", "image"])
    def test_half_a_character_is_no_text(self, tmp_path, field):
        row = {"image": "a.jpg", "sentence": "x", field: "\ud83d"}
        with pytest.raises(BadInputError, match=r"line 1: .* not a text"):
            read_expressions(lines(tmp_path, row))

    def test_no_target_is_true_or_false(self, tmp_path):
        with pytest.raises(BadInputError, match="'no_target' is 'yes', neither true nor false"):
            read_expressions(lines(tmp_path, {"image": "a.jpg", "sentence": "x", "no_target": "yes"}))

    def test_empty_sentences_are_left_out(self, tmp_path):
        rows = [
            {"image": "a.jpg", "sentences": ["", "red", "."], "ref_id": 1},
            {"image": "b.jpg", "sentences": ["  "]},
        ]
        found = read_expressions(lines(tmp_path, *rows))
        assert [row.sentences for row in found.rows] == [("red",)] and found.empty == ("a.jpg", "b.jpg")

    def test_ids_stay_with_their_sentences(self, tmp_path):
        texts = [{"sent": "", "sent_id": 1}, {"sent": "red", "sent_id": 2}]
        found = read_expressions(lines(tmp_path, {"image": "a.jpg", "sentences": texts}))
        assert found.rows[0].sentence_ids == (2,)

    @pytest.mark.parametrize(
        ("row", "message"),
        [
            ({"image": "a.jpg"}, "line 1: there is no field 'sentences'"),
            ({"sentence": "x"}, "line 1: there is no field 'image'"),
            ({"image": 3, "sentence": "x"}, "'image' is 3 and not a text"),
            ({"image": "a", "sentence": 5}, "'sentence' holds 5, which is not a text"),
            ({"image": "a", "sentences": [{"x": 1}]}, "'sentences' holds None"),
            ({"image": "a", "sentence": "x", "box": [1, 2, 3]}, r"'box' is \[1, 2, 3\] and not four numbers"),
            ({"image": "a", "sentence": "x", "box": [1, 2, 3, float("nan")]}, "not four numbers"),
            ({"image": "a", "sentence": "x", "box": "here"}, "'box' is 'here' and not four numbers"),
            ({"image": "a", "sentence": "x", "mask": 1}, "the mask is 1, neither run lengths nor polygons"),
            ({"image": "a", "sentence": "x", "width": 5, "height": -1}, "the image has 5 x -1 pixels"),
            ({"image": "a", "sentence": "."}, "holds no sentence"),
            ([1], "object 1: no JSON object"),
            (3, "line 1: no JSON object"),
        ],
    )
    def test_what_is_refused(self, tmp_path, row, message):
        path = lines(tmp_path, row)
        with pytest.raises(BadInputError, match=message) as error:
            read_expressions(path)
        assert str(error.value).startswith(f"sentence file '{path}'")

    @pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{", b"{}}\n{}", b"[1,"])
    def test_damaged_files(self, tmp_path, content):
        (tmp_path / "x.jsonl").write_bytes(content)
        with pytest.raises(BadInputError, match="sentence file"):
            read_expressions(tmp_path / "x.jsonl")

    def test_no_such_file(self, tmp_path):
        for name in ("x.jsonl", "refs(unc).p", "x.json"):
            with pytest.raises(MissingInputError, match="there is no"):
                read_expressions(tmp_path / name)


class TestCoco:
    def file(self, tmp_path, data):
        (tmp_path / "x.json").write_text(json.dumps(data))
        return tmp_path / "x.json"

    def test_annotations_with_sentences_only(self, tmp_path):
        data = instances()
        data["annotations"][1] |= {"caption": "all of it", "split": "val"}
        (row,) = read_expressions(self.file(tmp_path, data)).rows
        assert row == Expression(
            "b.jpg", ("all of it",), (0, 0, 6, 4), RLE, annotation_id=11, image_id=2, category="star",
            split="val", size=(4, 6),
        )  # fmt: skip

    def test_split_of_the_image(self, tmp_path):
        data = instances()
        data["images"][1]["split"] = "test"
        data["annotations"][1]["sentences"] = ["x"]
        assert read_expressions(self.file(tmp_path, data)).rows[0].split == "test"

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({}, "holds no sentence"),
            ({"images": 3}, "has no COCO list of images"),
            ({"annotations": [3]}, "has no COCO list of annotations"),
            (
                {"annotations": [{"id": 1, "image_id": 9, "caption": "x"}]},
                "annotation 1: the image 9 is not listed",
            ),
            ({"annotations": [{"image_id": 1, "caption": "x"}]}, "entry 0 of its annotations has no id"),
            (
                {"annotations": [{"id": 1, "image_id": 1, "category_id": 6, "caption": "x"}]},
                "annotation 1: the category 6 is not listed",
            ),
            ({"annotations": [{"id": 4}, {"id": 4}]}, "has two annotations with the id 4"),
            ({"images": [{"id": 4}, {"id": 4}]}, "has two images with the id 4"),
        ],
    )
    def test_what_is_refused(self, tmp_path, changes, message):
        with pytest.raises(BadInputError, match=message):
            read_expressions(self.file(tmp_path, instances(**changes)))


class TestRefer:
    @pytest.mark.parametrize("name", ["refs(unc).p", "refs(x).json"])
    def test_entries(self, tmp_path, name):
        path = refer_folder(tmp_path / "refcoco+", [ref()], name=name)
        (row,) = read_expressions(path).rows
        assert row == Expression(
            "a.jpg", ("red star",), (1, 1, 3, 3), id=1, annotation_id=10, image_id=1, sentence_ids=(4,),
            category="star", split="val", dataset="refcoco+", size=(4, 6),
        )  # fmt: skip

    @pytest.mark.parametrize("number", [-1, [-1], [], None])
    def test_entries_without_a_target(self, tmp_path, number):
        (row,) = read_expressions(refer_folder(tmp_path / "r", [ref(ann_id=number)])).rows
        assert row.no_target and row.box is None and row.annotation_id is None

    @pytest.mark.parametrize(
        ("refs", "data", "message"),
        [
            ({"a": 1}, None, "is not a list of entries"),
            ([3], None, "is not a list of entries"),
            ([ref(image_id=9)], None, "entry 1: the image 9 is not listed"),
            ([ref(ann_id=9)], None, "entry 1: the annotation 9 is not listed"),
            ([ref(ann_id=11)], None, "the annotation 11 is of another image"),
            ([ref(ann_id=[10, 11])], None, "it names 2 annotations; a sentence names one object"),
            ([ref(category_id=1)], None, "the category 1 is not listed"),
            (
                [ref(), ref(ann_id=11, image_id=2)],
                None,
                "has two objects with the id 1, in 'a.jpg' and in 'b.jpg'",
            ),
            ([ref()], instances(annotations=[{"id": 4}, {"id": 4}]), "two annotations with the id 4"),
            ([ref(sentences=[])], None, "holds no sentence"),
        ],
    )
    def test_what_is_refused(self, tmp_path, refs, data, message):
        with pytest.raises(BadInputError, match=message):
            read_expressions(refer_folder(tmp_path / "r", refs, data))

    def test_no_instances(self, tmp_path):
        path = refer_folder(tmp_path / "r", [ref()])
        (tmp_path / "r/instances.json").unlink()
        with pytest.raises(MissingInputError, match=r"there is no REFER file '.*instances.json'"):
            read_expressions(path)

    def test_pickles_with_more_than_values(self, tmp_path):
        import numpy as np

        path = refer_folder(tmp_path / "r", [ref(ann_id=np.int64(10))])
        with pytest.raises(BadInputError, match=r"refs\(unc\).p' holds the class or function 'numpy"):
            read_expressions(path)
