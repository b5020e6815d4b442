"""export writes what the file holds and nothing elsewhere; report puts everything on one page."""

import json
import re

import numpy as np
import pytest

from tests.stages.chain import CLASSES, predicted, truth_of, write_cams, write_data, write_masks
from wsstool import store
from wsstool.data.classlist import read_class_list
from wsstool.data.masks import read_mask
from wsstool.errors import BadInputError, CannotWriteError, MissingInputError, SomeFailedError, UsageError
from wsstool.stages.exchange.export import export
from wsstool.stages.report.report import report
from wsstool.stages.scoring.evaluate import evaluate


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path / "data")


def test_export_is_read_back(tmp_path, data):
    masks = write_masks(tmp_path / "masks.h5", data)
    found = export(masks, output=tmp_path / "out")
    assert found["written"] == 6
    for i in range(6):
        assert (read_mask(tmp_path / "out" / "images" / f"p{i}.png", CLASSES) == predicted(i)).all()
    assert read_class_list(tmp_path / "out" / "classes.txt") == CLASSES
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "masks.h5", "out"]
    again = evaluate([tmp_path / "out"], truth=data / "masks")
    assert again["rows"][0]["miou"] == evaluate([masks])["rows"][0]["miou"]


def test_export_makes_no_folders_above_its_own(tmp_path, data):
    masks = write_masks(tmp_path / "masks.h5", data)
    with pytest.raises(CannotWriteError, match="No such file"):
        export(masks, output=tmp_path / "mistyped" / "out")
    assert not (tmp_path / "mistyped").exists()


def test_export_layers(tmp_path, data):
    masks = write_masks(tmp_path / "masks.h5", data, layers=("one", "two"))
    export(masks, output=tmp_path / "both")
    assert {p.name for p in (tmp_path / "both").glob("[!.]*")} == {"one", "two", "classes.txt"}
    export(masks, output=tmp_path / "second", layer="two")
    second = read_mask(tmp_path / "second" / "images" / "p1.png")
    assert (second == np.where(truth_of(1) == 255, 0, truth_of(1))).all()
    with pytest.raises(UsageError, match="unknown layer"):
        export(masks, output=tmp_path / "third", layer="x")


def test_export_names_folders_and_files(tmp_path, data):
    masks = write_masks(tmp_path / "masks.h5", data, layers=("one", "two"))
    export(masks, output=tmp_path / "all", prefix="PM_", flat=True)
    assert {p.name for p in (tmp_path / "all").glob("[!.]*")} == {"PM_one", "PM_two", "classes.txt"}
    assert {p.name for p in (tmp_path / "all" / "PM_two").iterdir()} == {f"p{i}.png" for i in range(6)}
    export(masks, output=tmp_path / "one", prefix="PM_", layer="two")
    assert (tmp_path / "one" / "PM_two" / "images" / "p3.png").is_file()
    with pytest.raises(BadInputError, match="outside"):
        export(masks, output=tmp_path / "out", prefix="../")


def test_export_flat_needs_names_of_their_own(tmp_path):
    header = store.new_header(
        "mask",
        stage="pseudo-mask",
        params={},
        inputs=[],
        images=["a/x.png", "b/x.png"],
        sizes=np.array([[2, 2]] * 2),
        shapes=np.array([[1, 2, 2]] * 2),
        classes=CLASSES,
    )
    with store.create(header, tmp_path / "m.h5") as writer:
        for value in (1, 255):
            writer.write(np.full((1, 2, 2), value, np.uint8))
    with pytest.raises(BadInputError, match="both become"):
        export(tmp_path / "m.h5", output=tmp_path / "out", flat=True)
    found = export(tmp_path / "m.h5", output=tmp_path / "out")  # nothing known is no failure
    assert (found["written"], found["failed"]) == (1, 0)


def test_export_spares_what_is_there(tmp_path, data):
    masks = write_masks(tmp_path / "masks.h5", data)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    with pytest.raises(UsageError, match="not empty"):
        export(masks, output=tmp_path / "out")
    export(masks, output=tmp_path / "out", force=True)
    assert (tmp_path / "out" / "mine.txt").read_text() == "keep"


def test_export_of_a_damaged_file_leaves_nothing(tmp_path, data):
    masks = write_masks(tmp_path / "masks.h5", data)
    content = bytearray(masks.read_bytes())
    content[-30] ^= 1
    masks.write_bytes(content)
    with pytest.raises(BadInputError):
        export(masks, output=tmp_path / "out")
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".out*"))


def test_export_never_leaves_its_folder(tmp_path, data):
    masks = write_masks(tmp_path / "masks.h5", data)
    (tmp_path / "out").mkdir()
    (tmp_path / "victim").mkdir()
    (tmp_path / "out" / "images").symlink_to(tmp_path / "victim")
    with pytest.raises(BadInputError, match="leads out of"):
        export(masks, output=tmp_path / "out", force=True)
    assert not list((tmp_path / "victim").iterdir())


def test_two_images_of_one_name(tmp_path, data):
    names = [f"images/p{i // 2}.{'jpg' if i % 2 else 'gif'}" for i in range(6)]
    masks = write_masks(tmp_path / "masks.h5", data, images=names)
    with pytest.raises(BadInputError, match=r"would both become 'images/p0\.png'"):
        export(masks, output=tmp_path / "out")


def test_export_counts_failed_images(tmp_path, data):
    masks = write_masks(tmp_path / "masks.h5", data, fail=(1,))
    with pytest.raises(SomeFailedError, match="1 of 6"):
        export(masks, output=tmp_path / "out")
    assert not (tmp_path / "out" / "images" / "p1.png").exists()
    assert export(masks, output=tmp_path / "out", force=True, max_failed=1)["failed"] == 1


def test_report_of_a_chain(tmp_path, data):
    cam = write_cams(tmp_path / "cam.h5", data)
    masks = write_masks(tmp_path / "masks.h5", data, fail=(4,))
    twin = write_masks(tmp_path / "twin.h5", data, shift=0)
    log = tmp_path / "seg.jsonl"
    log.write_text("\n".join(json.dumps({"step": s, "loss": 1 / (s + 1)}) for s in range(5)))
    found = report(
        [f"CAM={cam}", f"pseudo-mask={masks}"],
        output=tmp_path / "report.html",
        twin=f"twin={twin}",
        log=[log],
        strips=tmp_path / "strips",
        samples=1,
        title="Shapes",
    )
    text = (tmp_path / "report.html").read_text()
    assert found["bytes"] == len(text.encode()) and not re.search(r"https?://", text)
    assert text.count("data:image/jpeg") == 3 * 6  # image, CAM, pseudo-mask, twin, truth, errors
    for words in ("Worst images", "Typical images", "Best images", "pseudo-mask: failed",
                  "fully supervised reference", "blind", "Training: seg.jsonl", "wsstool cam",
                  "Most frequent confusions", "Shapes"):  # fmt: skip
        assert words in text, words
    assert [s["source"] for s in found["scores"]] == ["CAM", "pseudo-mask", "twin"]
    assert found["scores"][1]["rows"][0]["miou"] == evaluate([masks])["rows"][0]["miou"]
    assert len(list((tmp_path / "strips").iterdir())) == 3


def test_report_without_truth_and_of_score_files(tmp_path):
    data = write_data(tmp_path / "bare", masks=False)
    masks = write_masks(tmp_path / "masks.h5", data)
    report([str(masks)], output=tmp_path / "bare.html", samples=1)
    text = (tmp_path / "bare.html").read_text()
    assert text.count("data:image/jpeg") == 3 * 2 and "mIoU" not in text
    whole = write_data(tmp_path / "data")
    evaluate([write_masks(tmp_path / "again.h5", whole)], output=tmp_path / "scores.json")
    report([str(tmp_path / "scores.json")], output=tmp_path / "scores.html")
    assert "0." in (tmp_path / "scores.html").read_text()


def test_report_says_where_images_are_missing(tmp_path, data):
    masks = write_masks(tmp_path / "masks.h5", data)
    for path in (data / "images").iterdir():
        path.unlink()
    with pytest.raises(MissingInputError, match="--images"):
        report([str(masks)], output=tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()
