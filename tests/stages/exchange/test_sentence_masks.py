"""Masks of sentences in other formats: what is written is read back with its sentence."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.messages import Heard
from tests.stages.object_sets import SIZE
from tests.stages.sentence_sets import truths, write_entries, write_sentences
from wsstool.cli.app import app
from wsstool.data.geometry.shapes import shape_mask
from wsstool.errors import MissingInputError, SomeFailedError, UsageError, WsstoolError
from wsstool.expressions.recognise import read_expressions
from wsstool.stages.exchange.export import export
from wsstool.stages.scoring.evaluate import evaluate

TEXTS = [
    "the disc", "the round thing on the left", "green block on the right of the disc", "the purple star",
    "the block", "everything in the whole big picture", "a disc", "left one", "round and red",
]  # fmt: skip


@pytest.fixture(params=["selection", "mask"])
def file(request, root, tmp_path):
    return write_entries(tmp_path / f"{request.param}.h5", root, request.param)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_sentences(tmp_path_factory.mktemp("sentences") / "data")


@pytest.mark.parametrize("format", ["coco", "jsonl", "refer"])
def test_masks_come_back_with_their_sentences(format, file, tmp_path):
    heard = Heard()
    found = export(file, output=tmp_path / "out", format=format, messages=heard)
    rows = read_expressions(tmp_path / "out").rows
    expected = dict(zip(TEXTS, truths(), strict=True))
    if format == "coco":  # which knows no sentence without a target
        expected = {text: mask for text, mask in expected.items() if mask.any()}
        assert heard.warned == ["left out 2 empty masks"]
    assert found["written"] == len(expected)
    assert sorted(text for row in rows for text in row.sentences) == sorted(expected)
    for row in rows:
        for text in row.sentences:
            mask = expected[text]
            assert row.no_target is not bool(mask.any())
            assert row.image.startswith("p")  # the common folder is left out
            if not row.no_target:
                assert np.array_equal(shape_mask(row.mask, SIZE), mask)
                y, x = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
                assert row.box == (x[0], y[0], x[-1] + 1, y[-1] + 1)


def test_coco_has_the_scores_and_the_objects(root, tmp_path):
    path = write_entries(tmp_path / "s.h5", root)
    export(path, output=tmp_path / "truth.json", format="coco")
    export(path, output=tmp_path / "results.json", format="coco-results")
    annotations = json.loads((tmp_path / "truth.json").read_text())["annotations"]
    assert [one["ann_id"] for one in annotations] == [50, 50, 51, 53, 54, 56, 56]
    assert [one["id"] for one in annotations] == list(range(1, 8))
    assert [one["score"] for one in annotations] == pytest.approx([0.5, 0.51, 0.52, 0.54, 0.55, 0.57, 0.58])
    results = json.loads((tmp_path / "results.json").read_text())
    assert [one["sentences"] for one in results] == [one["sentences"] for one in annotations]
    assert export(path, output=tmp_path / "some.json", score_threshold=0.53)["written"] == 4


def test_exported_masks_are_a_ground_truth(root, tmp_path):
    """One file of masks can be compared with another."""
    export(write_entries(tmp_path / "s.h5", root), output=tmp_path / "truth.jsonl", format="jsonl")
    moved = write_entries(tmp_path / "n.h5", root, change=lambda k, mask: np.roll(mask, k, 1))
    lines = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_text().splitlines()]
    for line in lines:
        line["ref_id"] = line["ann_id"] = None
    expected = evaluate(moved)["rows"][0]["overall_iou"]
    numbers = iter([50, 50, 51, 52, 53, 54, 55, 56, 56])
    same = [{**line, "ref_id": next(numbers)} for line in lines]
    for line in same:
        line["image"] = f"images/{line['image']}"
    (tmp_path / "truth.jsonl").write_text("".join(json.dumps(line) + "\n" for line in same))
    found = evaluate(moved, expressions=tmp_path / "truth.jsonl")
    assert found["rows"][0]["overall_iou"] == pytest.approx(expected)


def test_one_png_per_sentence(file, tmp_path):
    found = export(file, output=tmp_path / "out", format="png")
    assert found == {"output": str(tmp_path / "out"), "format": "png", "written": 9, "failed": 0}
    lines = [json.loads(line) for line in (tmp_path / "out/sentences.jsonl").read_text().splitlines()]
    assert [line["sentence"] for line in lines] == TEXTS
    assert [line["file"] for line in lines][:5] == [f"p0-{k:02d}.png" for k in range(4)] + ["p1-00.png"]
    for line, truth in zip(lines, truths(), strict=True):
        mask = np.asarray(Image.open(tmp_path / "out" / line["file"]))
        assert np.array_equal(mask, truth) and line["pixels"] == truth.sum()


def test_overlays_show_image_mask_and_sentence(root, file, tmp_path):
    export(file, output=tmp_path / "out", format="overlay")
    names = sorted(path.name for path in (tmp_path / "out").glob("*.png"))
    assert len(names) == 9
    picture = np.asarray(Image.open(root / "images/p0.png"))
    for name, truth in (("p0-00.png", truths()[0]), ("p0-03.png", truths()[3])):
        shown = np.asarray(Image.open(tmp_path / "out" / name))
        factor = 8  # 40 rows become 320
        title, rest = shown[: -SIZE[0] * factor], shown[-SIZE[0] * factor :]
        assert title.shape[0] == 18 and title.min() < 100 and title.max() == 255  # text on white
        changed = (rest[::factor, ::factor] != picture).any(2)  # outlines are at the end of a pixel's square
        assert not changed[~truth].any() and changed[truth].sum() >= 0.95 * truth.sum()


def test_refusals(root, tmp_path):
    path = write_entries(tmp_path / "s.h5", root, failed=(1,), image_root=tmp_path / "gone")
    for format in ("yolo", "voc", "cvat", "label-studio"):
        with pytest.raises(UsageError, match=f"--format {format} cannot hold sentences; choose from coco, "):
            export(path, output=tmp_path / "x", format=format)
    for format in ("png", "jsonl"):
        with pytest.raises(UsageError, match="apply to --format coco, coco-results and csv"):
            export(path, output=tmp_path / "x", format=format, score_threshold=0.5)
    with pytest.raises(UsageError, match="the input has one mask per sentence"):
        export(path, output=tmp_path / "x", layer="sentences")
    with pytest.raises(MissingInputError, match="name their folder with --images"):
        export(path, output=tmp_path / "x", format="overlay")
    with pytest.raises(SomeFailedError, match="1 of 5 images failed"):
        export(path, output=tmp_path / "x", format="overlay", images=root)
    assert len(list((tmp_path / "x").glob("*.png"))) == 8
    other = tmp_path / "other/images"
    other.mkdir(parents=True)
    for i in range(5):
        Image.new("RGB", (9, 9)).save(other / f"p{i}.png")
    with pytest.raises(WsstoolError, match=r"p0.png.* 9 x 9"):
        export(path, output=tmp_path / "y", format="overlay", images=other.parent)


def test_on_the_command_line(root, tmp_path):
    path = write_entries(tmp_path / "s.h5", root)
    found = CliRunner().invoke(app, ["export", str(path), "--format", "png", "-o", str(tmp_path / "out")])
    assert found.exit_code == 0 and "9 masks in" in found.stderr
