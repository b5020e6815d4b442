"""Writing and reading again loses nothing."""

import json
from dataclasses import replace

import pytest

from tests.expressions.rows import ROWS
from wsstool.expressions.expression import numbered
from wsstool.expressions.formats import coco, jsonl, refer
from wsstool.expressions.recognise import read_expressions


class TestRoundTrips:
    def test_json_lines_hold_everything(self, tmp_path):
        jsonl.write(ROWS, tmp_path / "x.jsonl")
        found = read_expressions(tmp_path / "x.jsonl")
        assert found.rows == ROWS and found.format == "jsonl" and found.empty == ()

    def test_refer_holds_everything(self, tmp_path):
        refer.write(ROWS, tmp_path / "refcoco")
        found = read_expressions(tmp_path / "refcoco")
        assert found.format == "refer"
        assert found.rows == tuple(replace(row, dataset=row.dataset or "refcoco") for row in ROWS)

    def test_coco_holds_all_but_the_ids_of_sentences(self, tmp_path):
        rows = [replace(row, annotation_id=row.annotation_id or 40, sentence_ids=()) for row in ROWS]
        coco.write(rows, tmp_path / "x.json")
        found = read_expressions(tmp_path / "x.json")
        assert found.format == "coco" and found.rows == tuple(rows)

    @pytest.mark.parametrize("order", ["jsonl refer coco", "coco jsonl refer", "refer coco jsonl"])
    def test_through_all_formats(self, tmp_path, order):
        modules = {"jsonl": jsonl, "refer": refer, "coco": coco}
        rows = [
            replace(row, annotation_id=row.annotation_id or 40, dataset="x", sentence_ids=()) for row in ROWS
        ]
        for name in order.split():
            modules[name].write(rows, tmp_path / name)
            path = tmp_path / name / refer.WRITTEN if name == "refer" else tmp_path / name
            rows = [replace(row, sentence_ids=()) for row in modules[name].read(path).rows]
        assert [row.sentences for row in rows] == [row.sentences for row in ROWS]
        assert [
            (r.box, r.mask, r.no_target, r.split, r.category, r.id, r.image_id, r.size) for r in rows
        ] == [(r.box, r.mask, r.no_target, r.split, r.category, r.id, r.image_id, r.size) for r in ROWS]

    def test_the_human_sentences(self, shared, tmp_path):
        given = read_expressions(shared / "data/referring")
        for name, module in (("jsonl", jsonl), ("coco", coco), ("refer", refer)):
            module.write(given.rows, tmp_path / name)
            path = tmp_path / name / refer.WRITTEN if name == "refer" else tmp_path / name
            found = module.read(path)
            assert len(found) == 54
            for one, other in zip(given.rows, found.rows, strict=True):
                assert (one.image, one.sentences, one.box, one.mask, one.no_target, one.split, one.size) == (
                    other.image, other.sentences, other.box, other.mask, other.no_target,
                    other.split, other.size,
                )  # fmt: skip

    def test_a_coco_file_with_sentences_is_one_of_boxes_too(self, tmp_path):
        from wsstool.data.formats.coco import read_boxes

        coco.write(ROWS, tmp_path / "x.json")
        boxes = read_boxes(tmp_path / "x.json")
        assert [row.name for row in boxes.rows] == ["star", "car", "car", "star"]
        assert boxes.rows[0].numbers == (1.5, 2.0, 2.75, 2.0) and boxes.images["a.jpg"] == (4, 6)

    def test_objects_of_two_sets_share_an_annotation(self, tmp_path):
        one = ROWS[0]
        rows = (one, replace(one, id=11, dataset="y"), replace(one, id=12, box=(0.0, 0.0, 1.0, 1.0)))
        refer.write(rows, tmp_path / "r")
        written = json.loads((tmp_path / "r/instances.json").read_text())["annotations"]
        assert [a["id"] for a in written] == [30, 31]
        assert [row.box for row in read_expressions(tmp_path / "r").rows] == [row.box for row in rows]


@pytest.mark.parametrize(
    ("known", "first", "expected"),
    [
        ([7, 9], 1, [7, 9]),
        ([7, None], 1, [1, 2]),
        ([7, 7], 0, [0, 1]),
        (["a"], 1, [1]),
        ([-1, 2], 1, [1, 2]),
        ([], 1, []),
    ],
)
def test_numbers(known, first, expected):
    assert numbered(known, first) == expected
