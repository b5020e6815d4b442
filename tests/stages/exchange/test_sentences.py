"""Sentences through info, import and export: matched with images, converted, refused in one sentence."""

import json
import pickle

import pytest
from typer.testing import CliRunner

from tests.data.folders import picture
from tests.expressions.rows import RLE, instances, lines, ref, refer_folder
from tests.messages import Heard
from wsstool.cli.app import app
from wsstool.errors import BadInputError, CannotWriteError, MissingInputError, UsageError
from wsstool.expressions.recognise import read_expressions
from wsstool.stages.exchange.export import export
from wsstool.stages.exchange.import_masks import import_masks
from wsstool.stages.inputs.sentences import open_sentences, rows_of_split
from wsstool.stages.streams.info import info


@pytest.fixture
def data(tmp_path):
    """Three images of 6 x 4 pixels, and split lists."""
    for name in ("a", "b", "c"):
        picture(tmp_path / "data/images" / f"{name}.png", (4, 6))
    (tmp_path / "data/splits").mkdir()
    (tmp_path / "data/splits/train.txt").write_text("a\n")
    (tmp_path / "data/splits/val.txt").write_text("b\nc\n")
    return tmp_path / "data"


def row(image="a.png", sentence="red star", **more):
    return {"image": image, "sentence": sentence, **more}


class TestImages:
    def test_names_sizes_and_boxes_are_those_of_the_images(self, tmp_path, data):
        heard = Heard()
        source = lines(tmp_path, row("a", box=[-1, 1, 4, 9]), row("images/b.png"))
        a, b = open_sentences(data, source, messages=heard).rows
        assert (a.image, a.size, a.box) == ("images/a.png", (4, 6), (0, 1, 3, 4))
        assert (b.image, b.box) == ("images/b.png", None)
        assert heard.lines == [f"1 boxes of sentence file '{source}' were clipped to their image"]

    def test_coco_2014_names_find_the_renamed_photographs(self, shared):
        for name in ("refcoco", "refcocog"):
            source = shared / "data/referring/refer_sample" / name
            found = open_sentences(shared / "data/referring", source, messages=Heard())
            assert {row.image for row in found.rows} <= {f"images/{n:012d}.jpg" for n in (154, 309)}

    def test_an_image_that_is_not_there(self, tmp_path, data):
        heard = Heard()
        source = lines(tmp_path, row("a"), row("z.png"), row("z.png", sentence="other"), row("y.png"))
        assert len(open_sentences(data, source, messages=heard)) == 1
        assert heard.warned == [
            f"sentence file '{source}' names 2 images that are not there, such as 'z.png', with 3 sentences"
        ]
        with pytest.raises(BadInputError, match=r"names none of the 3 images in '.*data', but 'z.png'"):
            open_sentences(data, lines(tmp_path, row("z.png")), messages=heard)

    def test_a_box_outside_the_image(self, tmp_path, data):
        heard = Heard()
        source = lines(
            tmp_path, row(box=[0, 0, 1, 1]), row("b", box=[6, 0, 9, 9]), row("b", box=[1, 1, 0, 3])
        )
        assert len(open_sentences(data, source, messages=heard)) == 1
        assert heard.warned == [
            f"2 objects of sentence file '{source}' have a box outside their image or without area,"
            " such as one of 'images/b.png'; they are left out"
        ]
        with pytest.raises(BadInputError, match="has no object inside its images"):
            open_sentences(data, lines(tmp_path, row(box=[6, 0, 9, 9])), messages=heard)

    def test_images_of_another_size(self, tmp_path, data):
        with pytest.raises(BadInputError, match=r"says that 'images/a.png' is 12 x 8 pixels, but it is 6"):
            open_sentences(data, lines(tmp_path, row(width=12, height=8)), messages=Heard())

    def test_a_name_that_leads_out_of_the_folder(self, tmp_path, data):
        with pytest.raises(BadInputError, match="outside the data folder"):
            open_sentences(data, lines(tmp_path, row("../a.png")), messages=Heard())

    def test_an_image_that_cannot_be_read_stays(self, tmp_path, data):
        (data / "images/a.png").write_bytes(b"")
        assert open_sentences(data, lines(tmp_path, row()), messages=Heard()).rows[0].size is None

    def test_empty_and_long_sentences(self, tmp_path, data):
        heard = Heard()
        source = lines(tmp_path, row(sentence="x " * 300), {"image": "b", "sentences": ["", "red"]})
        assert len(open_sentences(data, source, messages=heard)) == 2
        assert heard.warned == [
            f"1 objects of sentence file '{source}' have empty sentences, such as one of 'b'; these "
            "sentences are left out"
        ]
        assert heard.said == [
            f"1 sentences of sentence file '{source}' have more than 20 words; networks read the first 20"
        ]

    def test_objects_given_twice(self, tmp_path, data):
        heard = Heard()
        source = lines(tmp_path, row(), row("b"), row(), row(sentence="another"))
        assert len(open_sentences(data, source, messages=heard)) == 4
        assert heard.warned == [
            f"1 objects of sentence file '{source}' repeat another with all its sentences; each counts"
        ]

    def test_an_image_in_place_of_sentences(self, data):
        with pytest.raises(BadInputError, match=r"a.png' is an image, not a folder or a file with sentences"):
            open_sentences(data / "images/a.png", messages=Heard())


class TestSplits:
    def test_of_the_sentences(self, tmp_path, data):
        found = open_sentences(
            data, lines(tmp_path, row(split="testA"), row("b", split="val")), messages=Heard()
        )
        assert [r.image for r in rows_of_split(found, data, "test")] == ["images/a.png"]
        assert [r.image for r in rows_of_split(found, data, "val")] == ["images/b.png"]
        assert rows_of_split(found, data, "train") == ()  # a split of the images, without sentences
        with pytest.raises(UsageError, match=r"no split 'testB' in sentence file .* there are: testA, val"):
            rows_of_split(found, data, "testB")

    def test_of_the_images(self, tmp_path, data):
        found = open_sentences(data, lines(tmp_path, row(), row("b"), row("c", split="x")), messages=Heard())
        assert [r.image for r in rows_of_split(found, data, "val")] == ["images/b.png"]
        (tmp_path / "mine.txt").write_text("c\n")
        assert [r.image for r in rows_of_split(found, data, str(tmp_path / "mine.txt"))] == ["images/c.png"]
        assert len(rows_of_split(found, data, None)) == 3
        with pytest.raises(UsageError, match="there are: x"):
            rows_of_split(found, None, "val")


class TestInfo:
    def test_a_folder_with_sentences(self, tmp_path, data):
        lines(data, row(split="train"), row("b", "blue star.", split="testA"), name="referring.jsonl")
        found = info(data)
        assert (found["images"], found["expressions"]["sentences"]) == (3, 2)
        assert found["expressions"]["file"] == str(data / "referring.jsonl")
        assert (found["expressions"]["vocabulary"], found["expressions"]["unknown_words"]) == (2, 1)
        part = info(data, split="test")
        assert (part["images"], part["expressions"]["objects"], part["expressions"]["unknown_words"]) == (
            1,
            1,
            1,
        )
        assert info(data, split="val")["images"] == 2

    def test_a_folder_without(self, data):
        assert "expressions" not in info(data)
        with pytest.raises(MissingInputError, match=r"there is no sentence file 'no.jsonl'"):
            info(data, expressions="no.jsonl")

    def test_several_files_are_a_warning(self, tmp_path, data):
        for name in ("referring.jsonl", "expressions.jsonl"):
            lines(data, row(), name=name)
        heard = Heard()
        assert "expressions" not in info(data, messages=heard)
        assert "several files with sentences: referring.jsonl, expressions.jsonl; count" in heard.warned[0]
        assert info(data, expressions="expressions.jsonl")["expressions"]["objects"] == 1

    @pytest.mark.parametrize("named", [False, True])
    def test_a_file(self, tmp_path, named):
        path = refer_folder(tmp_path / "refcoco", [ref()])
        found = info(expressions=path) if named else info(path)
        assert (found["format"], found["objects"], found["splits"]) == (
            "refer", 1, {"val": {"objects": 1, "sentences": 1}},
        )  # fmt: skip
        with pytest.raises(UsageError, match="--class-list are for a data folder"):
            info(path, class_list="x.txt")
        with pytest.raises(UsageError, match="no split 'testA'"):
            info(path, split="testA")

    def test_the_refer_layout_without_images(self, tmp_path):
        refer_folder(tmp_path / "refcoco", [ref()])
        found = info(tmp_path / "refcoco")
        assert (found["images"], found["expressions"]["words"]) == (0, 2)

    def test_counts_of_the_real_sets(self, shared):
        found = info(shared / "data/referring")
        assert (found["images"], found["expressions"]["objects"], found["expressions"]["sentences"]) == (
            40,
            54,
            82,
        )
        assert info(shared / "data/referring", split="testB")["images"] == 2
        assert info(shared / "data/coco200")["expressions"]["sentences_without_target"] == 5
        assert info(shared / "data/coco200", split="val")["expressions"]["sentences"] == 0


class TestConversion:
    @pytest.mark.parametrize("format", ["jsonl", "refer", "coco"])
    def test_there_and_back(self, tmp_path, format):
        export_of = refer_folder(tmp_path / "refcoco", [ref(), ref(ref_id=2, ann_id=11, image_id=2)])
        done = export(output=tmp_path / "out", expressions=export_of, format=format)
        assert done == {"output": str(tmp_path / "out"), "format": format, "written": 2, "failed": 0}
        back = import_masks(expressions=tmp_path / "out", output=tmp_path / "back.jsonl")
        assert back == {"output": str(tmp_path / "back.jsonl"), "images": 2, "objects": 2, "sentences": 2}
        rows = read_expressions(tmp_path / "back.jsonl").rows
        assert [(r.image, r.box, r.mask, r.annotation_id) for r in rows] == [
            ("a.jpg", (1, 1, 3, 3), None, 10), ("b.jpg", (0, 0, 6, 4), RLE, 11),
        ]  # fmt: skip

    def test_the_default_is_json_lines(self, tmp_path):
        path = refer_folder(tmp_path / "refcoco", [ref()])
        assert export(output=tmp_path / "x", expressions=path)["format"] == "jsonl"
        assert json.loads((tmp_path / "x").read_text())["sentences"] == [{"sent": "red star", "sent_id": 4}]

    def test_import_matches_images(self, tmp_path, data):
        source = lines(tmp_path, row("a", box=[-1, 1, 4, 9]), row("z"))
        heard = Heard()
        done = import_masks(expressions=source, output=tmp_path / "o.jsonl", images=data, messages=heard)
        assert (done["objects"], done["images"]) == (1, 1) and len(heard.warned) == 1
        assert json.loads((tmp_path / "o.jsonl").read_text()) == {
            "image": "images/a.png", "width": 6, "height": 4, "box": [0.0, 1.0, 3.0, 3.0], "no_target": False,
            "sentences": ["red star"],
        }  # fmt: skip

    @pytest.mark.parametrize("mask", [{"size": [4, 4], "counts": [16]}, {"size": [20, 30], "counts": "a"}])
    def test_masks_that_cannot_be_those_of_the_images(self, tmp_path, data, mask):
        path = lines(tmp_path, {"image": "a.png", "sentence": "x", "mask": mask})
        import_masks(expressions=path, output=tmp_path / "out.jsonl")  # nothing to compare with
        with pytest.raises(BadInputError, match=r"the mask of an object of '.*a\.png'"):
            import_masks(expressions=path, images=data, output=tmp_path / "again.jsonl")
        assert not (tmp_path / "again.jsonl").exists()

    def test_from_the_command_line(self, tmp_path):
        path = refer_folder(tmp_path / "refcoco", [ref()])
        done = CliRunner().invoke(
            app, ["export", "--expressions", str(path), "--format", "coco", "-o", str(tmp_path / "c.json")]
        )
        assert done.exit_code == 0 and done.stderr.startswith("wsstool export: 1 sentences in ")
        done = CliRunner().invoke(
            app, ["import", "--expressions", str(tmp_path / "c.json"), "-o", str(tmp_path / "x.jsonl")]
        )
        assert done.exit_code == 0 and done.stderr == "wsstool import: 1 sentences in 1 images\n"
        done = CliRunner().invoke(app, ["info", str(tmp_path / "x.jsonl"), "--json"])
        assert json.loads(done.stdout)["words"] == 2

    def test_nothing_of_others_is_lost(self, tmp_path):
        path = refer_folder(tmp_path / "refcoco", [ref()])
        mine = tmp_path / "mine"
        mine.write_text("keep")
        for write in (export, import_masks):
            with pytest.raises(UsageError, match=r"'.*mine' exists; --force replaces it"):
                write(expressions=path, output=mine)
        with pytest.raises(CannotWriteError, match="is a file"):
            export(expressions=path, output=mine, format="refer", force=True)
        assert mine.read_text() == "keep"
        export(expressions=path, output=mine, force=True)
        assert mine.read_text().startswith('{"image"')
        assert sorted(p.name for p in tmp_path.glob("[!.]*")) == ["mine", "refcoco"]


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"format": "cvat"}, "--format cvat is not for sentences; choose from jsonl, refer, coco"),
            ({"source": "x.h5"}, "give an input file or --expressions, not both; the input is 'x.h5'"),
            ({"like": "x.json"}, "are not for sentences"),
            ({"settings": ["a=1"]}, "are not for sentences"),
            ({"score_threshold": 0.5}, "are not for sentences"),
            ({"layer": "x"}, "are not for sentences"),
            ({"prefix": "x"}, "are not for sentences"),
            ({"flat": True}, "are not for sentences"),
        ],
    )
    def test_options_of_export(self, tmp_path, options, message):
        with pytest.raises(UsageError, match=message):
            export(expressions=tmp_path / "x.jsonl", output=tmp_path / "o", **options)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({}, "name a file with masks, or one with sentences by --expressions"),
            ({"expressions": "x", "annotations": "y"}, "not both; the file is 'y'"),
            ({"expressions": "x", "like": "y"}, "--like and --class-list are for masks"),
            ({"expressions": "x", "class_list": "y"}, "--like and --class-list are for masks"),
            ({"expressions": "x", "output": None}, "name it with --output"),
        ],
    )
    def test_options_of_import(self, tmp_path, options, message):
        with pytest.raises(UsageError, match=message):
            import_masks(**{"output": tmp_path / "o", **options})

    def test_formats_of_sentences_for_other_files(self, tmp_path, selection):
        for format in ("jsonl", "refer"):
            with pytest.raises(UsageError, match=f"--format {format} is for sentences; --expressions names"):
                export(selection, output=tmp_path / "o", format=format)

    def test_code_in_a_pickle_is_named_and_not_run(self, tmp_path):
        class Harmful:
            def __reduce__(self):
                import os

                return os.mkdir, (str(tmp_path / "made"),)

        refer_folder(tmp_path / "refcoco", [], instances())
        path = tmp_path / "refcoco/refs(unc).p"
        path.write_bytes(pickle.dumps([Harmful()]))
        for words in (["info", path], ["import", "--expressions", path, "-o", tmp_path / "o"]):
            done = CliRunner().invoke(app, [str(word) for word in words])
            assert done.exit_code == 65 and "mkdir'; only lists" in done.stderr
            assert done.stderr.count("\n") == 1
        assert not (tmp_path / "made").exists()

    def test_two_objects_of_one_id(self, tmp_path):
        path = lines(tmp_path, row(ref_id=1), row("b.png", ref_id=1))
        done = CliRunner().invoke(app, ["info", str(path)])
        assert done.exit_code == 65
        assert done.stderr == (
            f"wsstool info: sentence file '{path}' has two objects with the id 1, in 'a.png' and in 'b.png'\n"
        )
