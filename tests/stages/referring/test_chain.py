"""contour, select, cotrain and predict with sentences; the sentences typed, of a file, of a selection."""

import numpy as np
import pytest

from tests.messages import Heard
from tests.stages.referring.scenes import QUICK, SIZE, draw, read_rows, write_rows
from wsstool import store
from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.models.segmenter import build_segmenter
from wsstool.models.weights import load_weights, save_weights
from wsstool.runtime import pick_device
from wsstool.stages.networks.referring import open_sentence_mapper
from wsstool.stages.objects.contour import contour
from wsstool.stages.objects.select import select
from wsstool.stages.options.trainers.cotrain import CotrainOptions
from wsstool.stages.predict.predict import predict
from wsstool.stages.pseudo_masks.cam import cam
from wsstool.stages.robustness.robustness import robustness
from wsstool.stages.scoring.evaluate import evaluate
from wsstool.stages.streams.merge import merge
from wsstool.stages.train.cotrain import cotrain
from wsstool.stages.train.referring.selected import open_masked_sentences
from wsstool.stages.train.train_contour import train_contour
from wsstool.training.images.sentence_images import NamedObject

COTRAIN = {**QUICK, "lr": 1e-3, "noise_rate": "0.1", "backbone_rate": 1.0}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A drawn set, a network trained on its boxes, its maps, and masks from them."""
    folder = tmp_path_factory.mktemp("chain")
    data = draw(folder / "data")
    train_contour(data, output=folder / "c.pth", **{**QUICK, "epochs": 8, "lr": 5e-3})
    contour(data, split="train", weights=folder / "c.pth", output=folder / "c.h5")
    select(str(folder / "c.h5"), method="grabcut-map", output=folder / "s.h5")
    return folder


def opened(path):
    with store.open_records(path) as reader:
        records = [
            (record.index, [window.copy() for window in record.windows]) for record in reader.records()
        ]
        return reader.header, records, reader.tail


class TestContour:
    def test_one_map_per_sentence(self, trained):
        header, records, tail = opened(trained / "c.h5")
        rows = [row for row in read_rows(trained / "data") if row["split"] == "train"]
        assert header.sentences == tuple(text for row in rows for text in row["sentences"])
        assert header.columns["box_id"].tolist() == [row["ref_id"] for row in rows for _ in range(2)]
        for i, maps in records:
            windows = header.columns["window"][header.rows(i, "box")]
            for one, (x0, y0, x1, y1) in zip(maps, windows, strict=True):
                assert one.shape == (y1 - y0, x1 - x0) and 0 <= one.min() <= one.max() <= 1
        assert len(tail["score"]) == 24

    def test_the_maps_follow_the_sentence(self, trained):
        _, records, _ = opened(trained / "c.h5")
        assert any(
            maps[0].shape == maps[1].shape and np.abs(maps[0] - maps[1]).max() > 1e-4 for _, maps in records
        )

    def test_a_resumed_run_gives_the_same_bytes(self, trained, tmp_path):
        contour(trained / "data", split="train", weights=trained / "c.pth", output=tmp_path / "again.h5")
        assert (tmp_path / "again.h5").read_bytes() == (trained / "c.h5").read_bytes()

    def test_objects_without_a_box_are_left_out(self, trained, tmp_path):
        data = draw(tmp_path / "data")
        rows = read_rows(data)
        rows[0] |= {"box": None, "mask": None, "no_target": True}
        write_rows(data, rows)
        heard = Heard()
        found = contour(data, weights=trained / "c.pth", output=tmp_path / "c.h5", messages=heard)
        assert found["objects"] == 15 and "left out 1 objects" in heard.text

    @pytest.mark.parametrize(
        ("own", "says"),
        [
            ({"flip": True}, "--flip does not apply to sentences"),
            ({"boxes": "b.json"}, "--boxes does not apply to sentences"),
        ],
    )
    def test_options_of_boxes(self, trained, tmp_path, own, says):
        with pytest.raises(UsageError, match=says):
            contour(trained / "data", weights=trained / "c.pth", output=tmp_path / "c.h5", **own)


class TestCotrain:
    @pytest.mark.parametrize("method", ["plain", "coteaching", "self-training", "ema-teacher"])
    def test_every_method_learns_from_selected_masks(self, trained, tmp_path, method):
        heard = Heard()
        summary = cotrain(
            str(trained / "s.h5"),
            method=method,
            val=trained / "data",
            val_split="val",
            output=tmp_path / "n.pth",
            messages=heard,
            **COTRAIN,
        )
        assert summary["supervision"] == "selected masks" and summary["sentences"] == 24
        assert 0 <= summary["val_overall_iou"] <= 1
        weights = load_weights(tmp_path / "n.pth")
        assert (weights.state_dict_2 is not None) == (method == "coteaching")
        assert weights.meta["task"] == "referring" and weights.meta["draws"] == "object"
        if method in ("coteaching", "self-training"):
            assert summary["kept"] < 1 and "dropped_by_class" in summary
        found = predict(trained / "data", split="val", weights=tmp_path / "n.pth", output=tmp_path / "p.h5")
        assert found["sentences"] == 8

    def test_the_masks_are_those_of_the_sentences(self, trained, tmp_path):
        data = open_masked_sentences(CotrainOptions(source=str(trained / "s.h5"), **COTRAIN), Heard())
        header, records, _ = opened(trained / "s.h5")
        one = data.sentences[5]
        i, windows = records[one.image]
        row = one.mask - header.rows(i, "box").start
        x0, y0, x1, y1 = header.columns["window"][one.mask]
        mask = data.masks(NamedObject(one.image, one.mask, one.box, np.zeros((1, 1))))
        assert mask.shape == SIZE and np.array_equal(mask[y0:y1, x0:x1], windows[row])
        assert mask.sum() == (windows[row] == 1).sum() and header.sentences[one.mask] == one.text

    def test_sentences_of_another_file_meet_the_masks_by_their_boxes(self, trained, tmp_path):
        rows = read_rows(trained / "data")
        far = [{**row, "sentences": ["a new name"]} for row in rows if row["ref_id"] % 10 == 0]
        far[0]["box"][0] += 5
        write_rows(tmp_path, far)
        heard = Heard()
        summary = cotrain(
            str(trained / "s.h5"),
            expressions=tmp_path / "referring.jsonl",
            output=tmp_path / "n.pth",
            messages=heard,
            **COTRAIN,
        )
        assert summary["sentences"] == 5 and summary["words"] == 3
        assert "left out 1 objects" in heard.text

    def test_the_twin_on_true_masks(self, trained, tmp_path):
        summary = cotrain(str(trained / "data"), output=tmp_path / "t.pth", val_split="val", **COTRAIN)
        assert summary["supervision"] == "ground-truth masks" and summary["sentences"] == 24
        again = cotrain(str(trained / "data"), output=tmp_path / "t.pth", val_split="val", **COTRAIN)
        assert again["up_to_date"]

    def test_both_networks_of_coteaching_are_averaged(self, trained, tmp_path):
        cotrain(str(trained / "s.h5"), method="coteaching", output=tmp_path / "n.pth", **COTRAIN)
        data, maps = trained / "data", {}
        weights = load_weights(tmp_path / "n.pth")
        assert weights.state_dict_2 is not None
        save_weights(tmp_path / "second.pth", weights.state_dict_2, weights.meta)
        image = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), np.uint8)
        for name, ensemble in (("n", False), ("second", False), ("n", True)):
            loaded = load_weights(tmp_path / f"{name}.pth")
            mapper = open_sentence_mapper(
                tmp_path / f"{name}.pth", loaded, pick_device("cpu"), ensemble=ensemble
            )
            maps[name, ensemble] = mapper(image, ["the red disc"])
        mean = (maps["n", False] + maps["second", False]) / 2
        assert np.allclose(maps["n", True], mean, atol=1e-6)
        predict(data, weights=tmp_path / "n.pth", ensemble=True, output=tmp_path / "p.h5")
        with pytest.raises(BadInputError, match="contains one network; --ensemble needs two"):
            predict(data, weights=tmp_path / "second.pth", ensemble=True, output=tmp_path / "q.h5")

    @pytest.mark.parametrize(
        ("own", "says"),
        [
            ({"method": "multilayer"}, "--method multilayer does not apply to bcam-tiny"),
            ({"probe": True}, "--probe does not apply to bcam-tiny"),
            ({"split": "train"}, "--split and --files-from apply to data folders, not to selection files"),
            ({"val_split": "val"}, "--val-split needs --val"),
            ({"scale_weight": [1.0]}, "1 weights for the losses of 5 scales"),
            ({"arch": "fcn-tiny", "expressions": "x"}, "--arch fcn-tiny does not read sentences"),
        ],
    )
    def test_refusals(self, trained, tmp_path, own, says):
        with pytest.raises(UsageError, match=says):
            cotrain(str(trained / "s.h5"), output=tmp_path / "n.pth", **{**COTRAIN, **own})

    def test_a_selection_with_sentences_needs_a_network_that_reads(self, trained, tmp_path):
        with pytest.raises(BadInputError, match=r"has one selection per sentence; a network that reads"):
            cotrain(str(trained / "s.h5"), output=tmp_path / "n.pth", arch="linear-tiny", epochs=1)

    def test_a_selection_without_sentences(self, selection, pictures, tmp_path):
        with pytest.raises(BadInputError, match=r"has no sentences, which .* learns to read"):
            cotrain(str(selection), images=pictures, output=tmp_path / "n.pth", **COTRAIN)


class TestPredict:
    @pytest.fixture
    def weights(self, trained):
        return trained / "c.pth"

    def test_one_mask_per_sentence_of_the_set(self, trained, weights, tmp_path):
        found = predict(trained / "data", split="val", weights=weights, output=tmp_path / "p.h5")
        header, records, tail = opened(tmp_path / "p.h5")
        assert (found["images"], found["objects"], found["sentences"]) == (2, 4, 8)
        assert len(header.sentences) == 8 and not tail["fallback"].any()
        for i, masks in records:
            assert len(masks) == len(header.columns["box_id"][header.rows(i, "box")])
            assert all(mask.shape == SIZE and set(np.unique(mask)) <= {0, 1} for mask in masks)

    def test_typed_sentences_about_one_image_and_about_a_folder(self, trained, weights, tmp_path):
        texts = ["the red disc", "disc on the left"]
        image = trained / "data/images/7.png"
        predict(image, weights=weights, expression=texts, output=tmp_path / "one.h5")
        header, records, _ = opened(tmp_path / "one.h5")
        assert header.sentences == tuple(texts) and header.images == ("7.png",)
        assert f"predict {image} " in header.provenance[-1]["command"]
        assert np.isnan(header.columns["box"]).all()
        predict(trained / "data", weights=weights, expression=texts, output=tmp_path / "all.h5")
        everything, others, _ = opened(tmp_path / "all.h5")
        assert everything.sentences == tuple(texts) * 8
        assert all(np.array_equal(a, b) for a, b in zip(records[0][1], others[7][1], strict=True))

    def test_the_sentences_of_a_file_about_one_image(self, trained, weights, tmp_path):
        image = trained / "data/images/7.png"
        source = trained / "data/referring.jsonl"
        predict(image, weights=weights, expressions=source, output=tmp_path / "p.h5")
        header = opened(tmp_path / "p.h5")[0]
        assert len(header.sentences) == 4
        assert f"--expressions {source}" in header.provenance[-1]["command"]
        write_rows(tmp_path, [row for row in read_rows(trained / "data") if row["image"] == "1.png"])
        with pytest.raises(BadInputError, match=r"has no sentence about '7\.png'"):
            predict(
                image, weights=weights, expressions=tmp_path / "referring.jsonl", output=tmp_path / "q.h5"
            )

    def test_a_sentence_that_is_listed_twice(self, trained, weights, tmp_path):
        """Predicted twice and scored once, it would be lost without a word."""
        rows = read_rows(trained / "data")
        write_rows(tmp_path, [*rows, *rows])
        given = {"weights": weights, "split": "val", "output": tmp_path / "p.h5"}
        predict(trained / "data", expressions=tmp_path / "referring.jsonl", **given)
        assert evaluate(tmp_path / "p.h5", expressions=tmp_path / "referring.jsonl")["rows"][0]["sentences"]
        with pytest.raises(BadInputError, match="was predicted more often than"):
            evaluate(tmp_path / "p.h5", expressions=trained / "data")

    @pytest.mark.parametrize("own", [{}, {"expression": ["the red disc"]}])
    def test_shards_merge_to_what_one_run_predicts(self, trained, weights, tmp_path, own):
        given = {"weights": weights, "workers": 0, **own}
        predict(trained / "data", output=tmp_path / "all.h5", **given)
        names = opened(tmp_path / "all.h5")[0].images
        parts = [f"{k}/3" for k in range(3) if store.shard_indices(names, f"{k}/3")]
        assert len(parts) > 1
        for part in parts:
            predict(trained / "data", shard=part, output=tmp_path / f"{part[0]}.h5", **given)
        merge(
            [str(tmp_path / f"{part[0]}.h5") for part in parts], output=tmp_path / "merged.h5", partial=True
        )
        (one, masks, _), (other, others, _) = opened(tmp_path / "all.h5"), opened(tmp_path / "merged.h5")
        assert one.sentences == other.sentences and one.images == other.images
        for (_, a), (_, b) in zip(masks, others, strict=True):
            np.testing.assert_array_equal(a, b)

    def test_the_sentence_is_part_of_the_key(self, trained, weights, tmp_path):
        image = trained / "data/images/7.png"
        keys = {
            predict(image, weights=weights, expression=[text], threshold=t, output=tmp_path / f"{n}.h5")[
                "key"
            ]
            for n, (text, t) in enumerate([("red disc", 0.5), ("blue disc", 0.5), ("red disc", 0.4)])
        }
        assert len(keys) == 3

    def test_a_refiner(self, trained, weights, tmp_path):
        image = trained / "data/images/7.png"
        predict(image, weights=weights, expression=["disc"], refine="crf", output=tmp_path / "p.h5")
        assert opened(tmp_path / "p.h5")[1][0][1][0].shape == SIZE

    def test_odd_sentences_are_answered(self, trained, weights, tmp_path):
        heard = Heard()
        texts = ["🙂", "красный диск", "the disc " * 150, "红色的圆"]
        image = trained / "data/images/7.png"
        predict(image, weights=weights, expression=texts, output=tmp_path / "p.h5", messages=heard)
        assert opened(tmp_path / "p.h5")[0].sentences == tuple(texts)
        assert "a sentence has 300 words; the network reads the first 20" in heard.said
        assert any("knows no word of 3 sentences, such as '🙂'" in text for text in heard.warned)

    @pytest.mark.parametrize(
        ("own", "error", "says"),
        [
            ({"expression": [""]}, BadInputError, "the sentence '' has no words"),
            ({"expression": ["disc", " \t"]}, BadInputError, r"the sentence ' \\t' has no words"),
            ({}, UsageError, "name what to segment in .* with --expression or --expressions"),
            ({"expression": ["disc"], "expressions": "x"}, UsageError, "not both"),
            ({"expression": ["disc\udcff"]}, UsageError, "not valid UTF-8"),
            ({"expression": ["disc"], "flip": True}, UsageError, "--flip does not apply to sentences"),
            ({"expression": ["disc"], "split": "val"}, UsageError, "is an image"),
            ({"expression": ["disc"], "scale": [0.5]}, UsageError, "--scale does not apply to masks of sent"),
            ({"expressions": "nowhere.jsonl"}, MissingInputError, "nowhere.jsonl"),
        ],
    )
    def test_refusals(self, trained, weights, tmp_path, own, error, says):
        with pytest.raises(error, match=says):
            predict(trained / "data/images/7.png", weights=weights, output=tmp_path / "p.h5", **own)

    def test_outlines_are_no_masks(self, trained, tmp_path):
        loss = ["tightness=1", "zero=0.05"]
        train_contour(trained / "data", output=tmp_path / "o.pth", loss=loss, **QUICK)
        with pytest.raises(BadInputError, match="predicts outlines; make masks"):
            predict(trained / "data", weights=tmp_path / "o.pth", output=tmp_path / "p.h5")

    @pytest.mark.parametrize("words", [5, ["<pad>", "<unk>", "red", "red"], ["red"], ["<pad>", "<unk>", 3]])
    def test_weights_with_a_damaged_vocabulary(self, trained, weights, tmp_path, words):
        loaded = load_weights(weights)
        save_weights(tmp_path / "w.pth", loaded.state_dict, {**loaded.meta, "vocabulary": words})
        with pytest.raises(BadInputError, match=r"w\.pth"):
            predict(trained / "data", weights=tmp_path / "w.pth", output=tmp_path / "p.h5")

    def test_weights_without_a_vocabulary(self, trained, weights, tmp_path):
        loaded = load_weights(weights)
        meta = {name: value for name, value in loaded.meta.items() if name != "vocabulary"}
        save_weights(tmp_path / "w.pth", loaded.state_dict, meta)
        with pytest.raises(BadInputError, match="has no vocabulary; a network that reads sentences needs"):
            predict(trained / "data", weights=tmp_path / "w.pth", output=tmp_path / "p.h5")

    @pytest.mark.parametrize("own", [{"expression": ["red disc"]}, {"expressions": "x.jsonl"}])
    def test_a_network_without_language(self, trained, tmp_path, own):
        network = build_segmenter("fcn-tiny", 2)
        meta = {
            "arch": "fcn-tiny",
            "task": "segmentation",
            "classes": ["background", "disc"],
            "class_ids": [0, 1],
        }
        save_weights(tmp_path / "seg.pth", network.state_dict(), meta)
        with pytest.raises(BadInputError, match=r"needs a network that reads sentences, which .* is not"):
            predict(trained / "data", weights=tmp_path / "seg.pth", output=tmp_path / "p.h5", **own)


@pytest.mark.parametrize("stage", [cam, robustness])
def test_commands_for_other_networks_say_what_this_one_is(trained, stage, tmp_path):
    data = trained / "data"
    (data / "labels.csv").write_text("image,labels\n" + "".join(f"{i}.png,disc\n" for i in range(8)))
    with pytest.raises(BadInputError, match="is a network that reads sentences, not a classifier"):
        stage(data, weights=trained / "c.pth", output=tmp_path / "x.h5")


def test_the_boxes_of_a_selection_are_read_once(trained):
    """Per sentence it would be once more over all sentences: minutes and gigabytes for tens of thousands."""
    options = CotrainOptions(source=str(trained / "s.h5"), **COTRAIN)
    boxes = [one.box for one in open_masked_sentences(options, Heard()).sentences]
    assert len(boxes) > 8 and len({id(box.base) for box in boxes}) == 1
