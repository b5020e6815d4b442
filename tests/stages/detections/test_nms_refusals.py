"""What ``nms`` and ``eval`` refuse of detections, in which words."""

import json
from pathlib import Path

import pytest

from tests.stages.detection_files import ROWS
from wsstool.errors import (
    BadInputError,
    MissingInputError,
    UsageError,
)
from wsstool.stages.detections.nms import nms
from wsstool.stages.scoring.evaluate import evaluate


@pytest.mark.parametrize("name", ["a.h5", "a.csv", "a"])
def test_ids_of_coco_results_are_never_made_up(results, truth, tmp_path, name):
    nms([str(results)], output=tmp_path / name, instances=truth)
    with pytest.raises(UsageError, match="use --instances to name"):
        nms([str(tmp_path / name)], output=tmp_path / "b.json")
    assert not (tmp_path / "b.json").exists()
    nms([str(tmp_path / name)], output=tmp_path / "b.json", instances=truth)
    rows = json.loads((tmp_path / "b.json").read_text())
    assert [(row["image_id"], row["category_id"]) for row in rows] == [(1, 5), (2, 5), (2, 7)]
    with pytest.raises(UsageError, match="--instances applies only when COCO results"):
        nms([str(tmp_path / name)], output=tmp_path / "c.csv", instances=truth)


def test_numbers_are_ids(results, tmp_path):
    nms([str(results)], output=tmp_path / "a.h5")
    nms([str(tmp_path / "a.h5")], output=tmp_path / "b.json")
    rows = json.loads((tmp_path / "b.json").read_text())
    assert [(row["image_id"], row["category_id"]) for row in rows] == [(1, 5), (2, 5), (2, 7)]


def test_yolo_does_not_go_to_standard_output(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "y").mkdir()
    (tmp_path / "y/a.txt").write_text("0 .5 .5 .4 .4 .9\n")
    with pytest.raises(UsageError, match="written to a folder"):
        nms(["y"], output=Path("-"))
    assert not (tmp_path / "-").exists()


def test_yolo_writes_all_or_nothing(tmp_path):
    rows = ["image,x0,y0,x1,y1,score", "a/1.jpg,0,0,9,9,.9", "b/1.png,0,0,9,9,.8"]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    with pytest.raises(BadInputError, match="size, which is not known"):
        nms([str(tmp_path / "t.csv")], output=tmp_path / "y")
    assert not (tmp_path / "y").exists()
    nms([str(tmp_path / "t.csv")], output=tmp_path / "t.h5")
    with pytest.raises(BadInputError, match=r"be written to '1\.txt'"):
        nms([str(tmp_path / "t.h5")], output=tmp_path / "y")
    assert not (tmp_path / "y").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"iou_threshold": 2}, r"^--iou-threshold 2: give a number in \[0, 1\], the range of iou$"),
        ({"settings": ["iou_threshold=-0.1"]}, r"^--iou-threshold -0.1: .*\[0, 1\], the range of iou$"),
        ({"iou_threshold": -0.5, "measure": "ios"}, r"\[0, 1\], the range of ios$"),
        ({"iou_threshold": -2, "measure": "giou"}, r"\[-1, 1\], the range of giou$"),
        ({"iou_threshold": -2, "method": "diou"}, r"\[-1, 1\], the range of diou$"),
        ({"iou_threshold": 0.9, "settings": ["iou_threshold=.1"]}, "are one option: give only one of them$"),
        ({"top_before": 0}, "^--top-before 0: give a number at least 1$"),
        ({"top_after": 0}, "^--top-after 0: give a number at least 1$"),
    ],
)
def test_numbers_out_of_range(results, tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        nms([str(results)], output=tmp_path / "x.json", **options)
    assert not (tmp_path / "x.json").exists()


@pytest.mark.parametrize("options", [{"measure": "giou"}, {"measure": "diou"}, {"method": "diou"}])
def test_a_threshold_may_be_negative_where_the_measure_is(results, tmp_path, options):
    kept = [
        nms([str(results)], output=tmp_path / "x.json", iou_threshold=threshold, **options)["kept"]
        for threshold in (-1, 1)
    ]
    assert kept[0] < kept[1]


def test_bad_input(results, tmp_path, truth):
    with pytest.raises(MissingInputError):
        nms([str(tmp_path / "none.json")])
    with pytest.raises(UsageError, match="localisation"):
        nms([str(results)], method="iou-guided", output=tmp_path / "x.json")
    with pytest.raises(UsageError, match="no option 'sigmoid'"):
        nms([str(results)], method="soft", settings=["sigmoid=1"], output=tmp_path / "x.json")
    for content, what in (
        ("[1]", "not a COCO results file"),
        ("[", "not JSON"),
        ('{"annotations": []}', "not a list of detections"),
        ('[{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3], "score": 1}]', "not a COCO results file"),
    ):
        (tmp_path / "bad.json").write_text(content)
        with pytest.raises(BadInputError, match=what):
            nms([str(tmp_path / "bad.json")], output=tmp_path / "x.json")
    inverted = [{**ROWS[0], "bbox": [10, 10, -5, 5]}, *ROWS[1:]]
    (tmp_path / "bad.json").write_text(json.dumps(inverted))
    with pytest.raises(BadInputError, match="--drop-invalid"):
        nms([str(tmp_path / "bad.json")], output=tmp_path / "x.json")
    assert nms([str(tmp_path / "bad.json")], output=tmp_path / "x.json", drop_invalid=True)["dropped"] == 1
    (tmp_path / "bad.csv").write_text("image,x0,y0,x1,y1,score\na,1,2,3,four,.5\n")
    with pytest.raises(BadInputError, match="line 2: y1"):
        nms([str(tmp_path / "bad.csv")], output=tmp_path / "x.csv")
    (tmp_path / "bad.csv").write_text("image,x0,y0,x1,score\n")
    with pytest.raises(BadInputError, match="'y1'"):
        nms([str(tmp_path / "bad.csv")], output=tmp_path / "x.csv")
    many = [{**ROWS[0], "image_id": 9}]
    (tmp_path / "other.json").write_text(json.dumps(many))
    with pytest.raises(BadInputError, match="9"):
        evaluate([str(tmp_path / "other.json")], truth=truth)


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ({"category_id": 99999999999999999999999}, "is not an id"),
        ({"category_id": 10**400}, "too large"),
        ({"category_id": 1.5}, "category_id 1.5 is not an id"),
        ({"score": "0.5"}, 'COCO.*"0.5" instead of a number'),
        ({"score": True}, "true instead of a number"),
        ({"bbox": [1, 2, 3, False]}, "false instead of a number"),
    ],
)
def test_ids_and_scores_are_numbers(tmp_path, entry, what):
    (tmp_path / "bad.json").write_text(json.dumps([{**ROWS[0], **entry}]))
    with pytest.raises(BadInputError, match=what):
        nms([str(tmp_path / "bad.json")], output=tmp_path / "x.json")


def test_class_ids_of_tables_are_small(tmp_path):
    (tmp_path / "t.csv").write_text(f"image,x0,y0,x1,y1,score,class\na,0,0,1,1,.5,{10**30}\n")
    with pytest.raises(BadInputError, match="too large"):
        nms([str(tmp_path / "t.csv")], output=tmp_path / "x.csv")


@pytest.mark.parametrize(
    "entry", [{"score": float("nan")}, {"bbox": [1, 2, float("nan"), 3]}, {"bbox": [9, 9, -2, 3]}]
)
def test_eval_refuses_what_nms_refuses(tmp_path, truth, entry):
    (tmp_path / "bad.json").write_text(json.dumps([ROWS[1], {**ROWS[0], **entry}]))
    with pytest.raises(BadInputError, match=r"1 box is invalid.*--drop-invalid"):
        evaluate([str(tmp_path / "bad.json")], truth=truth)
    with pytest.raises(BadInputError, match=r"1 box is invalid.*--drop-invalid"):
        nms([str(tmp_path / "bad.json")], output=tmp_path / "x.json")


def test_eval_says_when_no_category_is_known(tmp_path, results, truth):
    rows = [{**row, "category_id": row["category_id"] + 10} for row in ROWS]
    (tmp_path / "other.json").write_text(json.dumps(rows))
    with pytest.raises(BadInputError, match=r"\(15, 17\).*\(5, 7\) have no category in common"):
        evaluate([str(tmp_path / "other.json")], truth=truth)
    (tmp_path / "other.json").write_text(json.dumps([rows[0], *ROWS]))
    with_another = evaluate([str(tmp_path / "other.json")], truth=truth)
    assert with_another["scores"] == evaluate([str(results)], truth=truth)["scores"]


def test_a_threshold_is_a_number(results, tmp_path):
    with pytest.raises(UsageError, match="--score-threshold nan"):
        nms([str(results)], output=tmp_path / "x.json", score_threshold=float("nan"))


def test_a_record_file_needs_images(tmp_path):
    (tmp_path / "none.json").write_text("[]")
    with pytest.raises(BadInputError, match="--instances"):
        nms([str(tmp_path / "none.json")], output=tmp_path / "o.h5")
    assert not (tmp_path / "o.h5").exists()
