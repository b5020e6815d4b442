"""train-contour, contour and predict --boxes on a small drawn set."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.messages import Heard
from wsstool import store
from wsstool.data.geometry import rle
from wsstool.errors import BadInputError, CannotWriteError, SomeFailedError, UsageError
from wsstool.models.weights import load_weights
from wsstool.stages.objects.contour import contour
from wsstool.stages.predict.predict import predict
from wsstool.stages.train.train_contour import train_contour
from wsstool.types import Silent

QUICK = {"arch": "tiny", "width": 16, "crop_size": 32, "epochs": 1, "workers": 0, "batch_size": 4}


def draw(folder: Path, n: int = 6, objects: int = 2) -> Path:
    """Pictures of 48 x 64 with bright discs on dark ground, ``boxes.json`` with truth."""
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:48, :64] + 0.5
    images, annotations = [], []
    for i in range(n):
        picture = rng.integers(0, 60, (48, 64, 3), np.uint8)
        images.append({"id": i, "file_name": f"{i}.png", "height": 48, "width": 64})
        for k in range(objects):
            cx, cy = rng.uniform(12, 20) + 28 * k, rng.uniform(14, 34)
            disc = ((x - cx) / 9) ** 2 + ((y - cy) / 11) ** 2 < 1
            picture[disc] = [230, 200, 90]
            rows, columns = np.nonzero(disc)
            x0, y0 = int(columns.min()), int(rows.min())
            annotations.append(
                {
                    "id": 10 * i + k,
                    "image_id": i,
                    "category_id": 1,
                    "bbox": [x0, y0, int(columns.max()) + 1 - x0, int(rows.max()) + 1 - y0],
                    "segmentation": rle.encode(disc),
                }
            )
        Image.fromarray(picture).save(folder / "images" / f"{i}.png")
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "disc"}]}
    (folder / "boxes.json").write_text(json.dumps(content))
    return folder


class Stops(Silent):
    """Messages that interrupt the run where a text comes."""

    def __init__(self, text):
        self.text, self.heard = text, []

    def say(self, text):
        self.heard.append(text)
        if self.text in text:
            raise KeyboardInterrupt


@pytest.fixture
def data(tmp_path):
    return draw(tmp_path / "data")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A drawn set and a network that has learned it from boxes."""
    folder = tmp_path_factory.mktemp("trained")
    draw(folder / "data", 12)
    summary = train_contour(folder / "data", output=folder / "c.pth", **{**QUICK, "epochs": 40, "lr": 1e-2})
    return folder, summary


def edited(data, change):
    content = json.loads((data / "boxes.json").read_text())
    change(content)
    (data / "boxes.json").write_text(json.dumps(content))
    return data


class TestTraining:
    def test_learns_the_object_from_boxes(self, trained):
        folder, summary = trained
        assert summary["objects"] == 24 and summary["supervision"] == "boxes"
        predict(folder / "data", weights=folder / "c.pth", output=folder / "p.h5", flip=True)
        truth = {
            a["id"]: a["segmentation"]
            for a in json.loads((folder / "data/boxes.json").read_text())["annotations"]
        }
        with store.open_records(folder / "p.h5") as reader:
            header = reader.header
            scores = []
            for record in reader.records():
                rows = header.rows(record.index, "box")
                for window, (x0, y0, x1, y1), number in zip(
                    record.windows,
                    header.columns["window"][rows],
                    header.columns["box_id"][rows],
                    strict=True,
                ):
                    mask = np.zeros((48, 64), bool)
                    mask[y0:y1, x0:x1] = window == 1
                    true = rle.decode(truth[int(number)])
                    scores.append((mask & true).sum() / (mask | true).sum())
            assert not reader.tail["fallback"].any() and reader.tail["score"].min() > 0.5
        assert np.mean(scores) > 0.9  # the filled box has .77

    def test_describes_itself_and_is_up_to_date(self, data, tmp_path):
        output = tmp_path / "c.pth"
        first = train_contour(data, output=output, loss=["tightness=1", "zero=0.05"], box_slack=0.1, **QUICK)
        meta = load_weights(output).meta
        assert meta["task"] == "contour" and meta["draws"] == "outline"
        assert meta["classes"] == ["background", "disc"]
        assert meta["params"]["loss"] == ["tightness=1", "zero=0.05"]
        assert {"loss", "tightness", "zero"} <= first.keys()
        options = {**QUICK, "loss": ["tightness=1", "zero=0.05"], "box_slack": 0.1}
        assert train_contour(data, output=output, **options)["up_to_date"]
        assert not train_contour(data, output=output, force=True, **{**options, "box_slack": 0.0})[
            "up_to_date"
        ]

    def test_equal_runs_give_equal_bytes_with_any_workers(self, data, tmp_path):
        files = []
        for workers in (0, 1):
            train_contour(data, output=tmp_path / f"{workers}.pth", **{**QUICK, "workers": workers})
            files.append((tmp_path / f"{workers}.pth").read_bytes())
        assert files[0] == files[1]

    def test_true_masks_have_no_part_in_training_on_boxes(self, data, tmp_path):
        first = train_contour(data, output=tmp_path / "a.pth", **QUICK)

        def blank(content):
            for annotation in content["annotations"]:
                annotation["segmentation"] = {"size": [1, 1], "counts": "not to be read"}

        second = train_contour(edited(data, blank), output=tmp_path / "b.pth", **QUICK)
        assert first["key"] == second["key"]
        assert (tmp_path / "a.pth").read_bytes() == (tmp_path / "b.pth").read_bytes()

    @pytest.mark.parametrize("window", ["box", "image"])
    def test_with_the_class_as_the_condition(self, data, tmp_path, window):
        train_contour(data, output=tmp_path / "c.pth", condition="class", window=window, **QUICK)
        contour(data, weights=tmp_path / "c.pth", output=tmp_path / "c.h5")
        with store.open_records(tmp_path / "c.h5") as reader:
            windows = reader.header.columns["window"]
            assert (windows == [0, 0, 64, 48]).all() == (window == "image")
            assert all(not record.failed for record in reader.records())
        content = json.loads((data / "boxes.json").read_text())
        content["categories"][0]["name"] = "ring"
        (data / "other.json").write_text(json.dumps(content))
        with pytest.raises(BadInputError, match="different classes"):
            contour(data, weights=tmp_path / "c.pth", boxes=data / "other.json", output=tmp_path / "d.h5")

    def test_goes_on_after_an_interruption(self, data, tmp_path):
        options = {**QUICK, "epochs": 3}
        train_contour(data, output=tmp_path / "whole.pth", **options)
        with pytest.raises(KeyboardInterrupt):
            train_contour(data, output=tmp_path / "cut.pth", messages=Stops("epoch 2/3"), **options)
        assert not (tmp_path / "cut.pth").exists() and (tmp_path / "cut.pth.part").exists()
        said = Stops("never")
        train_contour(data, output=tmp_path / "cut.pth", messages=said, **options)
        assert any("resuming at epoch" in text for text in said.heard)
        assert (tmp_path / "cut.pth").read_bytes() == (tmp_path / "whole.pth").read_bytes()
        assert not (tmp_path / "cut.pth.part").exists()


class TestMasks:
    def test_on_true_masks(self, data, tmp_path):
        found = train_contour(data, output=tmp_path / "t.pth", loss=["mask"], **QUICK)
        assert found["supervision"] == "ground-truth masks" and found["objects"] == 12

    def test_on_selected_masks(self, trained, tmp_path):
        folder, _ = trained
        predict(folder / "data", weights=folder / "c.pth", output=tmp_path / "p.h5")
        options = {**QUICK, "selection": tmp_path / "p.h5", "init": folder / "c.pth"}
        found = train_contour(folder / "data", output=tmp_path / "2.pth", loss=["mask"], **options)
        assert found["supervision"] == "selected masks" and found["objects"] == 24
        stages = [step["stage"] for step in load_weights(tmp_path / "2.pth").meta["provenance"]]
        assert stages == ["train-contour", "predict", "train-contour"]
        with store.open_records(tmp_path / "p.h5") as reader:
            reader.drain()
            bar = float(np.sort(reader.tail["score"])[10])
        fewer = train_contour(
            folder / "data", output=tmp_path / "3.pth", loss=["mask"], min_score=bar, **options
        )
        assert fewer["objects"] == 14
        both = train_contour(
            folder / "data",
            output=tmp_path / "4.pth",
            loss=["mask", "tightness=.5"],
            min_score=bar,
            **options,
        )
        assert both["objects"] == 24

    def test_without_masks(self, data, trained, tmp_path):
        folder, _ = trained

        def bare(content):
            for annotation in content["annotations"]:
                del annotation["segmentation"]

        with pytest.raises(BadInputError, match="no masks for the loss 'mask'"):
            train_contour(edited(data, bare), output=tmp_path / "c.pth", loss=["mask"], **QUICK)
        with pytest.raises(UsageError, match="add --loss mask"):
            train_contour(data, output=tmp_path / "c.pth", selection=folder / "p.h5", **QUICK)
        contour(data, weights=folder / "c.pth", output=tmp_path / "c.h5")
        with pytest.raises(BadInputError, match="contour"):
            train_contour(
                data, output=tmp_path / "c.pth", loss=["mask"], selection=tmp_path / "c.h5", **QUICK
            )


class TestBadInput:
    @pytest.mark.parametrize(
        ("options", "match"),
        [
            ({"loss": ["tight=1"]}, "no box loss 'tight'"),
            ({"loss": ["zero=0"]}, "--loss zero=0"),
            ({"loss": ["zero=x"]}, "--loss zero=x"),
            ({"loss": ["zero", "zero=2"]}, "given twice"),
            (
                {"settings": ["reference=1"]},
                "--set reference=1: unknown option; the options of these losses are: dilation",
            ),
            ({"loss": ["zero=1"]}, "--loss zero alone"),
            ({"loss": ["tightness", "zero=.1"], "settings": ["reference=-4"]}, "--set reference=-4"),
            ({"loss": ["bags"], "settings": ["smoothness=-1"]}, "--set smoothness=-1"),
            ({"settings": ["dilation=0"]}, "--set dilation=0"),
            ({"settings": ["similarity=2"]}, "similarity"),
            ({"box_slack": 0.5}, "--box-slack"),
            ({"condition": "vector"}, "--condition vector"),
            ({"min_score": 2.0}, "--min-score"),
            ({"arch": "huge"}, "no backbone 'huge'"),
        ],
    )
    def test_options(self, data, tmp_path, options, match):
        with pytest.raises(UsageError, match=match):
            train_contour(data, output=tmp_path / "c.pth", **{**QUICK, **options})

    def test_boxes_that_cannot_be_used(self, data, tmp_path):
        def spoil(content):
            first = content["annotations"]
            first[0]["bbox"] = [5, 5, 0, 0]
            first[1]["bbox"] = [90, 5, 9, 9]
            first[2]["iscrowd"] = 1

        found = train_contour(edited(data, spoil), output=tmp_path / "c.pth", **QUICK)
        assert found["objects"] == 9
        assert found["dropped"] == {"no width or height": 1, "outside the image": 1, "crowd region": 1}

    def test_too_few_boxes(self, data, tmp_path):
        with pytest.raises(BadInputError, match="at least 2 usable boxes, not 1"):
            train_contour(
                edited(data, lambda c: c["annotations"].__delitem__(slice(1, None))),
                output=tmp_path / "c.pth",
                **QUICK,
            )

    def test_a_picture_that_cannot_be_read(self, data, trained, tmp_path):
        folder, _ = trained
        whole = (data / "images" / "2.png").read_bytes()
        (data / "images" / "2.png").write_bytes(whole[:-200])
        with pytest.raises(SomeFailedError):
            train_contour(data, output=tmp_path / "c.pth", **QUICK)
        assert (tmp_path / "c.pth").exists()
        with pytest.raises(SomeFailedError):
            contour(data, weights=folder / "c.pth", output=tmp_path / "c.h5")
        with store.open_records(tmp_path / "c.h5") as reader:
            assert [r.index for r in reader.records() if r.failed] == [2]

    def test_weights_of_another_kind(self, data, trained, tmp_path):
        folder, _ = trained
        with pytest.raises(UsageError, match="--probabilities does not apply"):
            predict(data, weights=folder / "c.pth", output=tmp_path / "p.h5", probabilities=True)
        train_contour(data, output=tmp_path / "o.pth", loss=["tightness", "zero=.05"], **QUICK)
        with pytest.raises(BadInputError, match="predicts outlines"):
            predict(data, weights=tmp_path / "o.pth", output=tmp_path / "p.h5")
        with pytest.raises(UsageError, match="--margin 9"):
            contour(data, weights=folder / "c.pth", margin=[9.0], output=tmp_path / "c.h5")
        (tmp_path / "text.pth").write_text("PK")
        with pytest.raises(CannotWriteError, match="is not a weights file"):
            train_contour(data, output=tmp_path / "text.pth", **QUICK)


class TestMaps:
    def test_windows_scores_and_resume(self, trained, tmp_path):
        folder, _ = trained
        output = tmp_path / "c.h5"
        options = {"weights": folder / "c.pth", "output": output, "flip": True, "margin": [0.1, 0.4]}
        found = contour(folder / "data", **options)
        assert found["objects"] == 24 and not found["failed"]
        whole = output.read_bytes()
        with store.open_records(output) as reader:
            header = reader.header
            for record in reader.records():
                for window in record.windows:
                    assert window.dtype == np.float16 and window.min() >= 0 and window.max() <= 1
            box, window = header.columns["box"], header.columns["window"]
            assert (window[:, :2] <= box[:, :2]).all() and (window[:, 2:] >= box[:, 2:]).all()
            sides = box[:, 2:] - box[:, :2]
            assert ((box - window)[:, :2] <= np.ceil(0.4 * sides) + 1).all()
            assert reader.tail["score"].min() > 0.3
        assert contour(folder / "data", **options)["key"] == found["key"]
        assert contour(folder / "data", **{**options, "force": True})["key"] == found["key"]
        assert output.read_bytes() == whole

    def test_many_boxes_and_none(self, trained, tmp_path):
        folder, _ = trained
        data = draw(tmp_path / "many", 3)

        def crowd(content):
            content["annotations"] = [
                {"id": k, "image_id": 0, "category_id": 1, "bbox": [k % 40, k % 20, 12, 14]}
                for k in range(500)
            ]

        found = predict(edited(data, crowd), weights=folder / "c.pth", output=tmp_path / "p.h5")
        assert found["objects"] == 500 and found["images"] == 3
        with store.open_records(tmp_path / "p.h5") as reader:
            assert [len(record.windows) for record in reader.records()] == [500, 0, 0]

    def test_refined(self, trained, tmp_path):
        folder, _ = trained
        options = {"weights": folder / "c.pth", "output": tmp_path / "p.h5"}
        plain = predict(folder / "data", **options)
        found = predict(folder / "data", refine="crf", settings=["steps=2"], **options)
        assert found["key"] != plain["key"] and found["fallbacks"] == 0
        with pytest.raises(UsageError, match="choose one with --refine"):
            predict(folder / "data", settings=["steps=2"], **options)
        with pytest.raises(UsageError, match="--threshold 1"):
            predict(folder / "data", threshold=1.0, **options)

    def test_an_empty_map_falls_back(self, trained, tmp_path):
        folder, _ = trained
        data = draw(tmp_path / "dark", 1)
        Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(data / "images" / "0.png")
        options = {"weights": folder / "c.pth", "output": tmp_path / "p.h5", "threshold": 0.999}
        heard = Heard()
        assert predict(data, **options, messages=heard)["fallbacks"] == 2
        assert any(text.startswith("2 of 2 objects got an ellipse") for text in heard.said)
        with store.open_records(tmp_path / "p.h5") as reader:
            (record,) = reader.records()
            assert all((window == 1).any() for window in record.windows)
            assert reader.tail["fallback"].all() and not reader.tail["score"].any()
