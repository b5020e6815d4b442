"""``info`` on data folders; files are covered by the store and the weights."""

import json

import pytest
import torch
from typer.testing import CliRunner

from tests.data.folders import picture
from tests.messages import Heard
from tests.models.published.tissue import published_state
from tests.stages.object_sets import write_maps
from tests.stages.sentence_sets import write_entries, write_sentences
from wsstool.cli.app import app
from wsstool.errors import UsageError
from wsstool.models.classifier import build_classifier
from wsstool.models.weights import save_weights
from wsstool.stages.streams.info import info


def test_a_folder(tmp_path):
    for name in ("a", "b", "c"):
        picture(tmp_path / "images" / f"{name}.png")
    (tmp_path / "labels.csv").write_text("image,labels\na.png,cat dog\nb.png,dog\nc.png,\n")
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "train.txt").write_text("a\nb\n")
    found = info(tmp_path)
    assert (found["images"], found["splits"], found["background"]) == (3, ["train"], "background")
    assert found["images_by_class"] == {"cat": 1, "dog": 2} and found["without_tags"] == 1


def test_patches_without_tags_are_named_and_classes_may_be_told(tmp_path):
    for name in ("p-[1 0 0 1]", "q-[0 0 0 0]", "r"):
        picture(tmp_path / f"{name}.png")
    heard = Heard()
    found = info(tmp_path, messages=heard)
    assert (found["without_tags"], found["first_without_tags"]) == (2, "q-[0 0 0 0].png")
    assert found["images_by_class"] == {"TE": 1, "TAS": 1} and "LUAD-HistoSeg" in heard.lines[0]
    assert info(tmp_path, class_list="bcss")["images_by_class"] == {"TUM": 1, "NEC": 1}
    (tmp_path / "classes.csv").write_text("a\nb\nc\nd\n")
    done = CliRunner().invoke(app, ["info", str(tmp_path), "--class-list", "classes.csv", "--json"])
    assert json.loads(done.stdout)["images_by_class"] == {"a": 1, "d": 1}


def test_labels_may_be_named(tmp_path):
    picture(tmp_path / "images/a.png", (20, 30))
    (tmp_path / "labels.csv").write_text("image,labels\na.png,cat\n")
    (tmp_path / "other.csv").write_text("image,labels\na.png,cow dog\n")
    assert info(tmp_path, labels="other.csv")["images_by_class"] == {"cow": 1, "dog": 1}
    (tmp_path / "cvat.xml").write_text(
        '<annotations><image name="a.png" width="30" height="20"><tag label="emu"/></image></annotations>'
    )
    given = ["info", str(tmp_path), "--labels", str(tmp_path / "cvat.xml"), "--json"]
    assert json.loads(CliRunner().invoke(app, given).stdout)["images_by_class"] == {"emu": 1}
    picked = info(tmp_path / "images/a.png", labels=tmp_path / "other.csv")
    assert picked["images_by_class"] == {"cow": 1, "dog": 1}


@pytest.mark.parametrize("given", [{"labels": "labels.csv"}, {"class_list": "luad"}])
def test_sentences_have_no_labels(tmp_path, given):
    with pytest.raises(UsageError, match="sentences have no classes"):
        info(expressions=tmp_path / "x.jsonl", **given)


def test_a_file_has_its_own_classes(tmp_path):
    (tmp_path / "x.h5").write_bytes(b"")
    with pytest.raises(UsageError, match="--class-list apply to data folders"):
        info(tmp_path / "x.h5", class_list="luad")


def test_weights_are_described_in_lines_that_can_be_read(tmp_path):
    meta = {
        "arch": "tiny",
        "task": "classification",
        "classes": ["a", "b"],
        "class_ids": [0, 1],
        "params": {f"option_{i}": "x" * 9 for i in range(9)},
        "provenance": [{"stage": "train-cls", "key": "x", "command": "wsstool train-cls data -o x.pth"}],
    }
    save_weights(tmp_path / "x.pth", build_classifier("tiny", 2).state_dict(), meta)
    lines = CliRunner().invoke(app, ["info", str(tmp_path / "x.pth")]).stdout.splitlines()
    assert max(map(len, lines[1:])) <= 100
    assert lines[1] == "meta:" and "    option_3  xxxxxxxxx" in lines and "  classes    a, b" in lines
    assert "fits        tiny" in lines and lines[-1] == "  wsstool train-cls data -o x.pth"
    script = CliRunner().invoke(app, ["info", str(tmp_path / "x.pth"), "--script"]).stdout
    assert script.splitlines()[-1] == "wsstool train-cls data -o x.pth"


def test_classes_of_a_published_file_are_those_that_its_name_says(tmp_path):
    torch.save(published_state(), tmp_path / "stage1_checkpoint_trained_on_luad.pth")
    meta = info(tmp_path / "stage1_checkpoint_trained_on_luad.pth")["meta"]
    assert [meta["classes"][i] for i in meta["class_ids"]] == ["TE", "NEC", "LYM", "TAS"]


def test_a_file_with_sentences(tmp_path):
    root = write_sentences(tmp_path / "data")
    for kind in ("contour", "selection", "mask"):
        found = info(write_entries(tmp_path / f"{kind}.h5", root, kind))
        assert found["kind"] == kind and found["expressions"] == {
            "images": 5,
            "objects": 7,
            "sentences": 9,
            "words": 34,
            "sentences_cut": 0,
            "sentences_without_box": 2,
        }
    assert "expressions" not in info(write_maps(tmp_path / "plain.h5", root))
    done = CliRunner().invoke(app, ["info", str(tmp_path / "mask.h5")])
    assert done.exit_code == 0 and "sentences=9" in done.stdout
