"""``nms`` and ``eval`` of detections over files and pipes."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.messages import Heard
from tests.stages.detection_files import ROWS
from wsstool import store
from wsstool.cli.app import app
from wsstool.errors import (
    BelowThresholdError,
    CannotWriteError,
    MissingInputError,
    UsageError,
)
from wsstool.nms import run
from wsstool.stages.detections.nms import nms
from wsstool.stages.options.nms import NmsOptions
from wsstool.stages.scoring.evaluate import evaluate
from wsstool.types import ClassList, Messages


def test_coco_results(results, tmp_path):
    said = nms([str(results)], output=tmp_path / "kept.json")
    assert said == {"images": 2, "boxes": 4, "kept": 3, "dropped": 0}
    kept = json.loads((tmp_path / "kept.json").read_text())
    assert kept == [ROWS[3], ROWS[0], ROWS[2]]
    nms([str(results)], output=tmp_path / "kept.json", class_aware=False)
    assert len(json.loads((tmp_path / "kept.json").read_text())) == 2


def test_only_record_files_can_be_up_to_date(results, tmp_path):
    """As the help of ``--force`` says."""
    options = NmsOptions.declarations()
    assert "record file" in options["force"].help and "always written anew" in options["force"].help
    first = {}
    for name in ("kept.json", "kept.csv", "kept.h5"):
        nms([str(results)], output=tmp_path / name)
        os.utime(tmp_path / name, (0, 0))
        first[name] = (tmp_path / name).stat().st_ino
        heard = Heard()
        nms([str(results)], output=tmp_path / name, messages=heard)
        is_kept = (tmp_path / name).stat().st_ino == first[name]
        assert is_kept == ("up to date" in heard.text) == name.endswith(".h5"), name


def test_scores_are_decayed_and_kept(results, tmp_path):
    nms([str(results)], output=tmp_path / "soft.json", method="soft", settings=["sigma=0.4"])
    soft = {
        (r["image_id"], r["category_id"], r["bbox"][0]): r
        for r in json.loads((tmp_path / "soft.json").read_text())
    }
    assert soft[2, 5, 11]["original_score"] == 0.8 and soft[2, 5, 11]["score"] < 0.3
    assert "original_score" not in soft[2, 5, 10]


def test_every_format_holds_the_same(results, truth, tmp_path):
    nms([str(results)], output=tmp_path / "a.h5", instances=truth)
    with store.open_records(tmp_path / "a.h5") as reader:
        header = reader.header
        records = [record.data.reshape(-1, len(header.attributes["columns"])) for record in reader.records()]
    assert header.images == ("a.jpg", "b.jpg") and header.classes.names == ("cat", "wild dog")
    assert header.attributes["columns"][:6] == ["x0", "y0", "x1", "y1", "score", "class"]
    np.testing.assert_allclose(records[1][:, :6], [[10, 10, 30, 40, 0.9, 0], [11, 10, 31, 40, 0.7, 1]])
    assert records[1][:, 7].tolist() == [2, 1]  # how many inputs went into each
    expected = evaluate([str(tmp_path / "a.h5")], truth=truth)["scores"]["ap"]
    for name in ("b.csv", "yolo", "c.json", "d.h5"):
        nms([str(tmp_path / "a.h5")], output=tmp_path / name, instances=truth if name == "c.json" else None)
        found = evaluate([str(tmp_path / name)], truth=truth)
        assert found["scores"]["ap"] == pytest.approx(expected), name
    ids = [(row["image_id"], row["category_id"]) for row in json.loads((tmp_path / "c.json").read_text())]
    assert ids == [(1, 5), (2, 5), (2, 7)]
    with open(tmp_path / "b.csv") as file:
        assert [row["class"] for row in csv.DictReader(file)] == ["cat", "cat", "wild dog"]
    assert (tmp_path / "yolo/a.txt").read_text() == "0 0.25 0.4166667 0.25 0.5 0.6\n"
    assert nms([str(tmp_path / "yolo")], output=tmp_path / "again.csv")["kept"] == 3


def test_same_input_same_bytes(results, tmp_path):
    for name in ("a.h5", "b.h5"):
        nms([str(results)], output=tmp_path / name)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert nms([str(results)], output=tmp_path / "a.h5")["key"]


def test_fusion_of_two_models(results, tmp_path):
    other = tmp_path / "other.json"
    other.write_text(json.dumps([{**ROWS[0], "bbox": [10, 10, 20, 26], "score": 0.5}]))
    nms([str(results), str(other)], output=tmp_path / "both.json", method="fusion")
    both = json.loads((tmp_path / "both.json").read_text())
    fused = next(row for row in both if row["category_id"] == 5 and row["image_id"] == 2)
    direct = run(
        [[10, 10, 30, 40], [11, 10, 31, 40], [10, 10, 30, 36.0]],
        [0.9, 0.8, 0.5],
        model=[0, 0, 1],
        method="fusion",
    )
    assert fused["score"] == pytest.approx(direct.scores[0], abs=1e-6)
    np.testing.assert_allclose(fused["bbox"][3], direct.boxes[0, 3] - direct.boxes[0, 1], atol=1e-3)


def test_columns_of_a_table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "image,x0,y0,x1,y1,score,class,localisation,group\n"
        "a,0,0,10,10,0.9,x,0.6,1\na,0,0,10,8,0.8,x,0.9,1\na,0,0,10,10,0.7,x,0.1,2\n"
    )
    nms([str(path)], output=tmp_path / "o.csv", method="iou-guided")
    with open(tmp_path / "o.csv") as file:
        rows = list(csv.DictReader(file))
    assert [(row["y1"], row["score"], row["original_score"]) for row in rows] == [
        ("8", "0.9", "0.8"),
        ("10", "0.7", "0.7"),
    ]
    turned = tmp_path / "r.csv"
    turned.write_text(
        "image,cx,cy,width,height,angle,score\na,0,0,10,2,0,.9\na,0,0,10,2,.1,.8\na,0,0,10,2,1.5,.7\n"
    )
    assert nms([str(turned)], output=tmp_path / "r2.csv")["kept"] == 2


def test_tables_keep_their_columns(tmp_path):
    (tmp_path / "t.csv").write_text(
        "image,x0,y0,x1,y1,score,class,group,std_x0,std_y0,std_x1,std_y1\n"
        "a,0,0,10,10,.9,0,0,1,2,3,4\na,0,0,10,10,.8,0,1,1,2,3,4\na,0,0,10,10,.7,0,1,1,2,3,4\n"
    )
    assert nms([str(tmp_path / "t.csv")], output=tmp_path / "t.h5")["kept"] == 2  # groups never meet
    nms([str(tmp_path / "t.h5")], output=tmp_path / "o.csv", iou_threshold=1.0)
    with open(tmp_path / "o.csv") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["group"]) for row in rows] == [0, 1]
    assert [float(rows[0][f"std_{side}"]) for side in ("x0", "y0", "x1", "y1")] == [1, 2, 3, 4]
    (tmp_path / "n.csv").write_text((tmp_path / "t.csv").read_text().replace("a,", "1,"))
    nms([str(tmp_path / "n.csv")], output=tmp_path / "o.json")
    rows = json.loads((tmp_path / "o.json").read_text())
    assert [(row["side_std"], row["group"]) for row in rows] == [([1, 2, 3, 4], 0), ([1, 2, 3, 4], 1)]
    nms([str(tmp_path / "t.csv")], output=tmp_path / "none.csv", score_threshold=2)
    with open(tmp_path / "none.csv") as file:
        assert {"group", "std_y1"} <= set(csv.DictReader(file).fieldnames)


@pytest.mark.parametrize("names", ["x1,y1,x2,y2", "xmin,ymin,xmax,ymax"])
def test_corners_by_other_names(tmp_path, names):
    (tmp_path / "t.csv").write_text(f"image,{names},score\na,0,0,10,10,.9\na,0,0,10,8,.8\na,20,20,30,30,.5\n")
    assert nms([str(tmp_path / "t.csv")], output=tmp_path / "o.csv", method="weighted")["kept"] == 2
    with open(tmp_path / "o.csv") as file:
        rows = list(csv.DictReader(file))
    last = names.split(",")[3]
    assert list(rows[0])[:6] == ["image", *names.split(","), "score"]
    assert 8 < float(rows[0][last]) < 10 and float(rows[1][last]) == 30
    assert nms([str(tmp_path / "o.csv")], output=tmp_path / "again.csv")["kept"] == 2


def test_masks_of_coco_results(tmp_path):
    half = [{"size": [4, 4], "counts": [0, 8, 8]}, {"size": [4, 4], "counts": [8, 8]}]
    rows = [
        {**ROWS[0], "segmentation": shape, "score": 0.9 - 0.1 * k} for k, shape in enumerate([*half, half[0]])
    ]
    path = tmp_path / "m.json"
    path.write_text(json.dumps(rows))
    assert nms([str(path)], output=tmp_path / "o.json")["kept"] == 1
    assert nms([str(path)], output=tmp_path / "o.json", masks=True)["kept"] == 2
    kept = json.loads((tmp_path / "o.json").read_text())
    assert [row["segmentation"] for row in kept] == half
    bare = [{key: value for key, value in row.items() if key != "bbox"} for row in rows]
    path.write_text(json.dumps(bare))
    assert nms([str(path)], output=tmp_path / "o.json")["kept"] == 2  # boxes around the masks
    kept = json.loads((tmp_path / "o.json").read_text())
    assert [row["bbox"] for row in kept] == [[0, 0, 2, 4], [2, 0, 2, 4]]


def test_no_boxes_at_all(tmp_path, truth):
    (tmp_path / "none.json").write_text("[]")
    assert nms([str(tmp_path / "none.json")], output=tmp_path / "o.json")["kept"] == 0
    assert json.loads((tmp_path / "o.json").read_text()) == []
    nms([str(tmp_path / "none.json")], output=tmp_path / "o.h5", instances=truth)
    assert evaluate([str(tmp_path / "o.h5")], truth=truth)["scores"]["ap"] == 0


def test_success_is_said_after_writing(results, tmp_path):
    said = []

    class Ear(Messages):
        def say(self, text):
            said.append((text, (tmp_path / "o.json").exists()))

    nms([str(results)], output=tmp_path / "o.json", messages=Ear())
    assert said == [("kept 3 of 4 boxes in 2 images", True)]
    with pytest.raises(CannotWriteError):
        nms([str(results)], output=tmp_path / "none/o.json", messages=Ear())
    assert len(said) == 1


def test_eval_needs_truth_and_can_fail(results, truth, tmp_path):
    with pytest.raises(MissingInputError, match="--truth"):
        evaluate([str(results)])
    with pytest.raises(UsageError, match="not apply to detections"):
        evaluate([str(results)], truth=truth, boundary=True)
    found = evaluate([str(results)], truth=truth, output=tmp_path / "scores.json", fail_under="ap50=0.9")
    assert json.loads((tmp_path / "scores.json").read_text())["scores"] == found["scores"]
    assert set(found["classes"]) == {"cat", "wild dog"} and len(found["curve"]["ap50"]) == 101
    with pytest.raises(BelowThresholdError) as error:
        evaluate([str(results)], truth=truth, fail_under="ap=1")
    assert error.value.summary["scores"]["ap"] == found["scores"]["ap"]


def proposals(path: Path) -> None:
    superpixels = np.repeat(np.arange(4, dtype=np.uint16)[None], 5, 0).repeat([1, 2, 3, 4], 1)
    nodes = np.array([[0, 1, 1], [2, 3, 1], [4, 2, 1], [3, 3, 1], [65535] * 3], np.uint16)
    header = store.new_header(
        "proposal", stage="propose", params={}, inputs=[], images=["a.png", "b.png"], sizes=[[5, 10]] * 2,
        shapes=[[1, 1, 65]] * 2, classes=ClassList(("object",)), attributes={"max_proposals": 5},
    )  # fmt: skip
    with store.create(header, path, max_failed=1) as writer:
        writer.write(np.concatenate([superpixels.reshape(-1), nodes.reshape(-1)]))
        writer.fail("on purpose")


def test_proposals_lose_their_name_and_stay_in_the_tree(tmp_path):
    proposals(tmp_path / "p.h5")
    said = nms([str(tmp_path / "p.h5")], output=tmp_path / "k.h5", iou_threshold=0.4, max_failed=1)
    assert (said["proposals"], said["kept"], said["failed"]) == (4, 2, ["b.png"])
    with store.open_records(tmp_path / "p.h5") as one, store.open_records(tmp_path / "k.h5") as other:
        before, after = next(one.records()).proposals, next(other.records()).proposals
    np.testing.assert_array_equal(before.superpixels, after.superpixels)
    np.testing.assert_array_equal(before.nodes[:, :2], after.nodes[:, :2])
    assert after.nodes[:, 2].tolist() == [1, 1, 0, 0]
    for name in ("x.json", "x.csv"):
        with pytest.raises(UsageError, match="record file"):
            nms([str(tmp_path / "p.h5")], output=tmp_path / name)
        assert not (tmp_path / name).exists()
    for options in ({"method": "soft"}, {"score_threshold": 0.5}):
        with pytest.raises(UsageError, match="needs scores"):
            nms([str(tmp_path / "p.h5")], output=tmp_path / "x.h5", **options)


def shell(command: str, folder: Path) -> subprocess.CompletedProcess:
    program = f"{sys.executable} -m wsstool"
    command = ["bash", "-o", "pipefail", "-c", command.replace("wsstool", program)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True)


def test_pipes(results, truth, tmp_path):
    proposals(tmp_path / "p.h5")
    done = shell(
        "wsstool nms p.h5 --iou-threshold .4 --max-failed 1 | wsstool nms --max-failed 1 -o k.h5", tmp_path
    )
    assert done.returncode == 0, done.stderr
    done = shell(
        "wsstool nms results.json --instances truth.json | wsstool nms - --iou-threshold .4 |"
        " wsstool eval --truth truth.json --fail-under ap=.99",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["scores"]["ap"] == 1
    done = shell("cat results.json | wsstool nms - -o a.csv && wsstool nms <a.csv", tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list(csv.DictReader(done.stdout.decode().splitlines()))) == 3


def test_bad_input_gets_one_sentence_and_its_code(results, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["nms"], input=b"\0" * 99)
    assert done.exit_code == 65 and "HDF5" in done.stderr
    done = CliRunner().invoke(app, ["nms", "results.json", "--method", "adaptive"])
    assert done.exit_code == 2 and done.stderr.count("\n") == 1 and "density" in done.stderr
