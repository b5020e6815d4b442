"""train-contour with sentences: boxes and masks, vocabulary, validation, what is refused."""

import json

import numpy as np
import pytest
import torch

from tests.messages import Heard
from tests.stages.referring.scenes import QUICK, draw, read_rows, write_rows
from wsstool.errors import BadInputError, CannotWriteError, MissingInputError, UsageError
from wsstool.models.weights import load_weights
from wsstool.stages.train.train_contour import train_contour


@pytest.fixture
def data(tmp_path):
    return draw(tmp_path / "data")


def edited(data, change):
    rows = read_rows(data)
    write_rows(data, [row for row in map(change, rows) if row is not None])
    return data


class TestResults:
    def test_sentences_of_a_set_are_found_and_the_weights_know_their_words(self, data, tmp_path):
        heard = Heard()
        summary = train_contour(data, output=tmp_path / "c.pth", messages=heard, **QUICK)
        assert (summary["objects"], summary["sentences"], summary["images"]) == (12, 24, 6)
        assert summary["supervision"] == "boxes" and {"tightness", "pairwise"} <= summary.keys()
        meta = load_weights(tmp_path / "c.pth").meta
        assert (meta["task"], meta["arch"], meta["draws"]) == ("referring", "bcam-tiny", "object")
        assert sorted(meta["vocabulary"][2:]) == ["blue", "disc", "left", "on", "red", "right", "the"]
        assert "12 objects with 24 sentences in 6 images, 7 words" in heard.text

    def test_true_masks_have_no_part_in_training_on_boxes(self, data, tmp_path):
        first = train_contour(data, output=tmp_path / "a.pth", **QUICK)
        edited(data, lambda row: {**row, "mask": {"size": [1, 1], "counts": "not to be read"}})
        second = train_contour(data, output=tmp_path / "b.pth", **QUICK)
        assert first["key"] == second["key"]
        assert (tmp_path / "a.pth").read_bytes() == (tmp_path / "b.pth").read_bytes()

    def test_the_twin_learns_from_masks_by_the_same_command(self, data, tmp_path):
        summary = train_contour(data, output=tmp_path / "m.pth", loss=["mask=1"], val_split="val", **QUICK)
        assert summary["supervision"] == "ground-truth masks"
        assert 0 <= summary["val_overall_iou"] <= 1 and 0 <= summary["val_mean_iou"] <= 1
        again = train_contour(data, output=tmp_path / "m.pth", loss=["mask=1"], val_split="val", **QUICK)
        assert again["up_to_date"]
        other = edited(data, lambda row: {**row, "mask": row["mask"] if row["ref_id"] else None})
        changed = train_contour(other, output=tmp_path / "m.pth", loss=["mask=1"], val_split="val", **QUICK)
        assert not changed["up_to_date"] and changed["objects"] == 11

    def test_the_outline_by_the_adversarial_boundary_loss(self, data, tmp_path):
        loss = ["tightness=1", "zero=0.05"]
        train_contour(data, output=tmp_path / "c.pth", loss=loss, box_slack=0.1, **QUICK)
        meta = load_weights(tmp_path / "c.pth").meta
        assert meta["draws"] == "outline" and meta["params"]["box_slack"] == 0.1

    def test_equal_runs_give_equal_bytes_with_any_workers(self, data, tmp_path):
        files = []
        for workers in (0, 1):
            train_contour(data, output=tmp_path / f"{workers}.pth", **{**QUICK, "workers": workers})
            files.append((tmp_path / f"{workers}.pth").read_bytes())
        assert files[0] == files[1]

    def test_brinet_and_sgd(self, data, tmp_path):
        own = {**QUICK, "arch": "brinet-tiny", "optimizer": "sgd", "lr": 1e-3, "fusions": 1}
        train_contour(data, output=tmp_path / "c.pth", scale_weight=[1, 2], **own)
        assert load_weights(tmp_path / "c.pth").meta["fusions"] == 1

    def test_words_start_from_published_vectors(self, data, tmp_path):
        vectors = tmp_path / "glove.txt"
        vectors.write_text("red 1 2 3\nblue 4 5 6\n")
        heard = Heard()
        own = {**QUICK, "lr": 0.0}
        train_contour(data, output=tmp_path / "c.pth", word_vectors=vectors, messages=heard, **own)
        weights = load_weights(tmp_path / "c.pth")
        row = weights.meta["vocabulary"].index("blue")
        assert weights.state_dict["words.table.weight"][row].tolist() == [4, 5, 6]
        assert "has vectors of 2 of the 7 training words" in heard.text

    def test_initial_weights_keep_the_words_that_both_know(self, data, tmp_path):
        train_contour(data, output=tmp_path / "a.pth", **QUICK)
        edited(data, lambda row: {**row, "sentences": [f"the far {row['sentences'][0][4:]}"]})
        own = {**QUICK, "lr": 0.0, "init": tmp_path / "a.pth"}
        train_contour(data, output=tmp_path / "b.pth", **own)
        first, second = (load_weights(tmp_path / name) for name in ("a.pth", "b.pth"))
        for word in ("blue", "red", "disc"):
            old, new = (
                one.state_dict["words.table.weight"][one.meta["vocabulary"].index(word)]
                for one in (first, second)
            )
            assert torch.equal(old, new)
        assert "far" in second.meta["vocabulary"] and "left" not in second.meta["vocabulary"]
        others = [k for k in first.state_dict if "table" not in k]
        assert all(torch.equal(first.state_dict[k], second.state_dict[k]) for k in others)

    def test_batches_are_of_sentences(self, data, tmp_path):
        steps = []
        for per_image in (1, 4):
            output = tmp_path / f"{per_image}.pth"
            train_contour(data, output=output, sentences_per_image=per_image, **QUICK)
            log = output.with_name(output.name + ".log.jsonl").read_text().splitlines()
            steps.append(json.loads(log[-1])["step"])
        assert steps == [3, 3]  # 24 sentences, 8 in a step


@pytest.mark.slow
def test_reads_after_a_short_training(tmp_path):
    data = draw(tmp_path / "data", 60, val=20)
    own = {**QUICK, "crop_size": 48, "epochs": 25, "lr": 3e-3}
    summary = train_contour(data, output=tmp_path / "m.pth", loss=["mask=1"], val_split="val", **own)
    assert summary["val_overall_iou"] > 0.6  # .5 for both discs, .33 for one at random


class TestRefusals:
    def test_sentences_and_a_network_that_cannot_read(self, data, tmp_path):
        with pytest.raises(UsageError, match="--arch tiny does not read sentences"):
            train_contour(data, output=tmp_path / "c.pth", expressions=data, arch="tiny")

    def test_no_sentences(self, tmp_path):
        data = draw(tmp_path / "data")
        (data / "referring.jsonl").unlink()
        with pytest.raises(MissingInputError, match="no sentences in"):
            train_contour(data, output=tmp_path / "c.pth", **QUICK)

    def test_masks_that_are_not_there(self, tmp_path):
        data = draw(tmp_path / "data", masks=False)
        with pytest.raises(BadInputError, match=r"no object of .* has a mask, from which to learn"):
            train_contour(data, output=tmp_path / "c.pth", loss=["mask=1"], **QUICK)
        with pytest.raises(BadInputError, match="has no masks that could select the best epoch"):
            train_contour(data, output=tmp_path / "c.pth", val_split="val", **QUICK)

    def test_a_selection_file(self, data, tmp_path):
        with pytest.raises(UsageError, match="--selection does not apply to sentences"):
            train_contour(data, output=tmp_path / "c.pth", selection="x.h5", loss=["mask=1"], **QUICK)

    def test_weights_of_another_kind_are_not_overwritten(self, data, tmp_path):
        train_contour(data, output=tmp_path / "c.pth", **QUICK)
        boxes = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "disc"}]}
        for i in range(8):
            boxes["images"].append({"id": i, "file_name": f"{i}.png", "width": 64, "height": 48})
            boxes["annotations"].append({"id": i, "image_id": i, "category_id": 1, "bbox": [9, 9, 20, 20]})
        (data / "boxes.json").write_text(json.dumps(boxes))
        with pytest.raises(CannotWriteError, match="contains weights for referring"):
            own = {"arch": "tiny", "width": 16, "crop_size": 32, "epochs": 1, "workers": 0}
            train_contour(data, boxes=data / "boxes.json", output=tmp_path / "c.pth", **own)

    def test_objects_that_cannot_be_learned_are_counted(self, data, tmp_path):
        def change(row):
            number = row["ref_id"]
            if number == 0:
                return {**row, "box": None, "mask": None, "no_target": True}
            if number == 1:
                return {k: v for k, v in row.items() if k not in ("box", "mask")}
            return {**row, "box": [900, 900, 5, 5]} if number == 10 else row

        heard = Heard()
        summary = train_contour(edited(data, change), output=tmp_path / "c.pth", messages=heard, **QUICK)
        assert summary["objects"] == 9
        assert "1 objects of" in heard.text and "box outside their image" in heard.text
        assert "left out 2 objects" in heard.text

    def test_a_single_object(self, data, tmp_path):
        only = edited(data, lambda row: row if row["ref_id"] == 20 else None)
        with pytest.raises(BadInputError, match="at least 2 usable objects, not 1"):
            train_contour(only, output=tmp_path / "c.pth", **QUICK)

    def test_a_wrong_number_of_scale_weights(self, data, tmp_path):
        with pytest.raises(UsageError, match="3 weights for the losses of 5 scales"):
            train_contour(data, output=tmp_path / "c.pth", scale_weight=[1, 1, 1], **QUICK)

    def test_damaged_images(self, data, tmp_path):
        (data / "images/0.png").write_bytes(b"no picture")
        heard = Heard()
        summary = train_contour(data, output=tmp_path / "c.pth", max_failed=1, messages=heard, **QUICK)
        assert summary["failed"] == 1 and summary["objects"] == 10
        assert any("left out: images/0.png" in text for text in heard.warned)
        assert np.isfinite(summary["loss"])
