"""Human sentences in files of each format."""

import pytest

from wsstool.expressions.counts import count
from wsstool.expressions.recognise import read_expressions
from wsstool.expressions.splits import of_split, split_counts


class TestRealFiles:
    def test_counts_of_the_human_sentences(self, shared):
        found = read_expressions(shared / "data/referring")
        counts = count(found, found.rows)
        assert (counts["objects"], counts["sentences"], counts["images"]) == (54, 82, 40)
        assert counts["sentences_without_target"] == 5 and counts["objects_without_box"] == 0
        assert sum(len(r.sentences) for r in found.rows if r.box) == 77
        assert sum(len(r.sentences) for r in found.rows if r.mask) == 42
        by_set = {}
        for row in found.rows:
            objects, sentences = by_set.get(row.dataset, (0, 0))
            by_set[row.dataset] = objects + 1, sentences + len(row.sentences)
        assert by_set == {
            "refcoco": (7, 22), "refcoco+": (7, 18), "refcocog_umd": (2, 4), "refcocog_google": (3, 3),
            "refcocos": (35, 35),
        }  # fmt: skip
        assert len(of_split(found.rows, "test", "x")) == 8 + 35 and counts["unknown_words"] is None

    @pytest.mark.parametrize(
        ("name", "split", "objects", "sentences", "first"),
        [
            ("refcoco", "testB", 2, 8, "zebra at the bottom"),
            ("refcoco+", "testB", 2, 6, "closest zebra"),
            ("refcocog", "val", 2, 4, "the torso of a brown furry teddy bear wearing a red ribbon"),
        ],
    )
    def test_the_refer_layout_of_python_2(self, shared, name, split, objects, sentences, first):
        found = read_expressions(shared / "data/referring/refer_sample" / name)
        assert found.rows[0].sentences[0] == first and found.rows[0].dataset == name
        assert split_counts(found.rows) == {split: {"objects": objects, "sentences": sentences}}
        assert {row.image for row in found.rows} < {f"COCO_train2014_{n:012d}.jpg" for n in (154, 309)}
        rows = {row.annotation_id: row for row in read_expressions(shared / "data/referring").rows}
        for row in found.rows:  # as in the JSON lines, which were made apart
            assert row.box == pytest.approx(rows[row.annotation_id].box)

    def test_the_sentences_of_coco200(self, shared):
        found = read_expressions(shared / "data/coco200")
        counts = count(found, found.rows)
        assert (counts["sentences"], counts["images"], counts["sentences_without_target"]) == (22, 20, 5)
        assert sum(row.annotation_id is not None for row in found.rows) == 14
