"""Sentences pass through ``select`` and ``pseudo-mask``: one mask per sentence, in the same order."""

import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.messages import Heard
from tests.stages.object_sets import SIZE, write_proposals
from tests.stages.sentence_sets import entries, truths, write_entries, write_sentences
from wsstool import store
from wsstool.cli.app import app
from wsstool.errors import BadInputError, UsageError
from wsstool.stages.inputs.label_maps import label_maps_in_records
from wsstool.stages.objects.mask_maker import ImageObjects, MaskMaker, make_masks
from wsstool.stages.objects.select import select
from wsstool.stages.pseudo_masks.pseudo_mask import pseudo_mask

SENTENCES = (
    "the disc", "the round thing on the left", "green block on the right of the disc", "the purple star",
    "the block", "everything in the whole big picture", "a disc", "left one", "round and red",
)  # fmt: skip


@pytest.fixture
def root(tmp_path):
    return write_sentences(tmp_path / "data")


@pytest.fixture
def maps(root):
    """Maps whose objects are hot, in another order of values for each sentence."""
    folder = root.parent
    return write_entries(folder / "c.h5", root, "contour", lambda k, m: np.where(m, 0.9 - k / 100, 0.05))


def masks_of(path):
    """(H, W) uint8 mask of every entry of a file."""
    found = []
    with store.open_records(path) as reader:
        for record in reader.records():
            if record.header.payload == "mask":
                found += list(record.data)
                continue
            windows = record.header.columns["window"][record.header.rows(record.index, "box")]
            for (x0, y0, x1, y1), mask in zip(windows.tolist(), record.windows, strict=True):
                whole = np.zeros(record.size, np.uint8)
                whole[y0:y1, x0:x1] = mask
                found.append(whole)
    return found


def header_of(path):
    with store.open_records(path) as reader:
        return reader.header


@pytest.mark.parametrize("method", ["greedy", "grabcut-map"])
def test_select_keeps_the_sentences(method, root, maps):
    out = root.parent / "s.h5"
    if method == "greedy":
        proposals = write_proposals(root.parent / "p.h5", root)
        select(proposals, contour=maps, method=method, settings=["guide=region", "inside=0.3"], output=out)
    else:
        select(contour=maps, method=method, output=out)
    before, after = header_of(maps), header_of(out)
    assert after.sentences == before.sentences == SENTENCES and after.schema == 2
    for name in ("box_offset", "box", "box_class", "box_id", "window"):
        np.testing.assert_array_equal(after.columns[name], before.columns[name])
    for text, mask, truth in zip(SENTENCES, masks_of(out), truths(), strict=True):
        if truth.any():
            iou = ((mask == 1) & truth).sum() / ((mask == 1) | truth).sum()
            assert iou > 0.75, text


def test_boxes_of_another_file_are_refused(root, maps):
    with pytest.raises(UsageError, match="--boxes does not apply to maps of sentences"):
        select(contour=maps, method="grabcut-map", boxes=root / "boxes.json", output=root.parent / "s.h5")


def test_one_mask_per_sentence(root):
    folder = root.parent
    selection = write_entries(folder / "s.h5", root, margin=0.25)
    found = pseudo_mask(selection, output=folder / "m.h5")
    header = header_of(folder / "m.h5")
    assert header.sentences == SENTENCES and header.layers == ("sentences",)
    assert header.shapes.tolist() == [[n, *SIZE] for n in (4, 1, 1, 1, 2)]
    assert found["weak"] == 0 and found["failed"] == []
    for mask, truth in zip(masks_of(folder / "m.h5"), truths(), strict=True):
        assert np.array_equal(mask, truth.astype(np.uint8))


def test_weak_masks_are_ignored_in_their_box_only(root):
    folder, heard = root.parent, Heard()
    selection = write_entries(folder / "s.h5", root)
    found = pseudo_mask(selection, output=folder / "m.h5", min_score=0.505, overlap="score", messages=heard)
    assert found["weak"] == 1  # scores are .50, .51 ...
    weak, other = masks_of(folder / "m.h5")[:2]
    x0, y0, x1, y1 = entries(root).columns["box"][0].astype(int)
    expected = np.zeros(SIZE, np.uint8)
    expected[y0:y1, x0:x1] = 255
    assert np.array_equal(weak, expected) and np.array_equal(other, truths()[1])
    assert heard.warned == ["--overlap does nothing with sentences, which have a mask each"]
    assert any("the boxes of 1 of 9 sentences" in text for text in heard.said)


def test_failed_images_and_images_without_sentences(root):
    folder = root.parent
    write_entries(folder / "s.h5", root, failed=(1,))
    pseudo_mask(folder / "s.h5", output=folder / "m.h5", max_failed=1)
    with store.open_records(folder / "m.h5") as reader:
        records = list(reader.records())
    assert [one.failed for one in records] == [False, True, False, False, False]


def test_label_maps_are_not_made_of_masks_of_sentences(root):
    path = write_entries(root.parent / "m.h5", root, "mask")
    with pytest.raises(BadInputError, match="has one mask per sentence; a network that reads sentences"):
        label_maps_in_records(path, None, "cotrain")


class TestFromBoxes:
    """Without maps: one mask per sentence from the boxes of a file with sentences."""

    def test_a_folder(self, root):
        heard, out = Heard(), root.parent / "s.h5"
        done = select(
            root,
            expressions=root / "referring.jsonl",
            method="box",
            fallback="box",
            output=out,
            messages=heard,
        )
        header = header_of(out)
        assert header.sentences == tuple(
            text for text in SENTENCES if text not in ("the purple star", "a disc")
        )
        assert header.images == tuple(f"images/p{i}.png" for i in (0, 1, 2, 4)) and done["objects"] == 7
        assert header.columns["box_id"].tolist() == [50, 50, 51, 53, 54, 56, 56]
        source = root / "referring.jsonl"
        assert heard.said[0] == f"2 sentences of sentence file '{source}' have no box and are left out"
        for mask, (x0, y0, x1, y1) in zip(masks_of(out), header.columns["box"].astype(int), strict=True):
            expected = np.zeros(SIZE, np.uint8)
            expected[y0:y1, x0:x1] = 1
            assert np.array_equal(mask, expected)

    def test_proposals_and_a_split(self, root):
        proposals, out = write_proposals(root.parent / "p.h5", root), root.parent / "s.h5"
        select(
            proposals, expressions=root, split="testB", method="greedy", settings=["guide=box"], output=out
        )
        header = header_of(out)
        assert header.sentences == ("left one", "round and red") and len(header.images) == 5
        truth = truths()[-1]
        for mask in masks_of(out):
            assert ((mask == 1) & truth).sum() / ((mask == 1) | truth).sum() > 0.6

    def test_other_sentences_make_another_key(self, root):
        keys = set()
        for name in ("the disc", "the plate"):
            text = (root / "referring.jsonl").read_text().replace("the disc", name)
            source = root.parent / "sentences.jsonl"
            source.write_text(text)
            keys.add(select(root, expressions=source, method="box", output=root.parent / "s.h5")["key"])
        assert len(keys) == 2

    def test_the_rebuilt_command_makes_the_same_file(self, root, monkeypatch, tmp_path):
        source, out = root / "referring.jsonl", tmp_path / "s.h5"
        select(root, expressions=source, split="test", method="ellipse", output=out)
        command = shlex.split(header_of(out).provenance[-1]["command"])
        assert ["--expressions", str(source)] == command[3:5]
        monkeypatch.chdir(tmp_path)
        assert CliRunner().invoke(app, command[1:]).exit_code == 0
        assert Path(command[-1]).read_bytes() == out.read_bytes()

    def test_refusals(self, root, maps):
        own = {"expressions": root, "output": root.parent / "s.h5"}
        with pytest.raises(UsageError, match="--expressions does not apply with maps"):
            select(contour=maps, method="grabcut-map", **own)
        with pytest.raises(UsageError, match="give --boxes or --expressions, not both"):
            select(root, boxes=root / "boxes.json", method="box", **own)
        empty = root.parent / "empty.jsonl"
        empty.write_text('{"image": "p0.png", "sentence": "a thing"}\n')
        with pytest.raises(BadInputError, match="has no box for any of its sentences"):
            select(root, expressions=empty, method="box", output=root.parent / "s.h5")
        with pytest.raises(UsageError, match="no split 'nowhere'"):
            select(root, split="nowhere", method="box", **own)


def test_sentences_about_one_box_share_the_work():
    """Without a map there is one mask per box; with maps each sentence has its own."""
    made = []

    def fill(size, box, prior=None):
        made.append(box)
        return np.ones(size, np.uint8)

    boxes = np.array([[1, 1, 5, 5], [1, 1, 5, 5], [2, 2, 6, 6], [1, 1, 5, 5]], np.float32)
    windows = np.array([[0, 0, 8, 8]] * 4, np.int32)
    box = MaskMaker.of("box")
    for maps, calls in (([None] * 4, 2), ([np.ones((8, 8), np.float32)] * 4, 4)):
        made.clear()
        found = make_masks(ImageObjects((8, 8), boxes, windows, maps), replace(box, function=fill), [box])
        assert len(found) == 4 and len(made) == calls
