"""``--corruption`` of predict, cam and train-cls: as the same command on images corrupted beforehand."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.messages import Heard
from tests.stages.robustness.conftest import CLASSIFIER
from tests.stages.robustness.copies import corrupted_copy
from tests.store.records import read
from wsstool import store
from wsstool.corruptions.frost import photographs
from wsstool.errors import MissingInputError, UsageError
from wsstool.models.weights import load_weights
from wsstool.stages.inputs.corruption import open_corruption
from wsstool.stages.options.cam import CamOptions
from wsstool.stages.predict.predict import predict
from wsstool.stages.pseudo_masks.cam import cam
from wsstool.stages.pseudo_masks.pseudo_mask import pseudo_mask
from wsstool.stages.train.train_classifier import train_cls

FOG = {"corruption": "fog", "severity": 4}


def same_records(one: Path, other: Path) -> bool:
    (_, a, _), (_, b, _) = read(one), read(other)
    assert len(a) == len(b) > 0
    return all(np.array_equal(x.data, y.data) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize(("name", "severity"), [("fog", 4), ("shot-noise", 2), ("frost-synthetic", 3)])
def test_predict_sees_corrupted_images(
    data: Path, segmenter: Path, tmp_path: Path, name: str, severity: int
) -> None:
    heard = Heard()
    own = {"weights": segmenter, "device": "cpu", "workers": 2}
    predict(data, output=tmp_path / "a.h5", corruption=name, severity=severity, messages=heard, **own)
    assert heard.said == [f"images are corrupted by {name}, severity {severity}"]
    copy = corrupted_copy(data, tmp_path / "copy", name, severity)
    predict(copy, output=tmp_path / "b.h5", **own)
    predict(data, output=tmp_path / "clean.h5", **own)
    assert same_records(tmp_path / "a.h5", tmp_path / "b.h5")
    assert not same_records(tmp_path / "a.h5", tmp_path / "clean.h5")


@pytest.mark.parametrize("targets", ["all", "scores"])
def test_cam_sees_corrupted_images(data: Path, tagger: Path, tmp_path: Path, targets: str) -> None:
    own: dict[str, Any] = {"weights": tagger, "device": "cpu", "targets": targets}
    cam(data, output=tmp_path / "a.h5", **FOG, **own)
    cam(
        corrupted_copy(data, tmp_path / "copy", "fog", 4),
        output=tmp_path / "b.h5",
        **own,
    )
    cam(data, output=tmp_path / "clean.h5", **own)
    assert same_records(tmp_path / "a.h5", tmp_path / "b.h5")
    (header, _, tail), (_, _, expected) = read(tmp_path / "a.h5"), read(tmp_path / "b.h5")
    assert np.array_equal(tail["score"], expected["score"])
    assert header.params["corruption"] == "fog" and header.params["severity"] == 4
    assert "corruption" not in read(tmp_path / "clean.h5")[0].params


def logged(weights: Path) -> list[dict[str, Any]]:
    lines = Path(f"{weights}.log.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_train_cls_validates_on_corrupted_images(data: Path, tmp_path: Path) -> None:
    own = {**CLASSIFIER, "epochs": 2, "split": "train", "val_split": "val"}
    noise = {"corruption": "impulse_noise", "severity": 5}
    train_cls(data, output=tmp_path / "a.pth", **noise, **own)
    copy = corrupted_copy(data, tmp_path / "copy", "impulse-noise", 5, only="val")
    train_cls(copy, output=tmp_path / "b.pth", **own)
    train_cls(data, output=tmp_path / "clean.pth", **own)
    losses = [[one["val_loss"] for one in logged(tmp_path / f"{name}.pth")] for name in ("a", "b", "clean")]
    assert losses[0] == losses[1] != losses[2]
    assert load_weights(tmp_path / "a.pth").meta["params"]["corruption"] == "impulse-noise"


def test_a_key_without_corruption_stays(data: Path) -> None:
    params = CamOptions(data=data, weights=Path("w.pth")).key_params()
    assert not {"corruption", "severity", "frost"} & set(params)


def test_the_rebuilt_command_repeats_it(data: Path, segmenter: Path, tmp_path: Path) -> None:
    predict(data, output=tmp_path / "a.h5", weights=segmenter, device="cpu", **FOG)
    with store.open_records(tmp_path / "a.h5") as reader:
        words = shlex.split(reader.header.provenance[-1]["command"])
    assert words[words.index("--corruption") + 1] == "fog" and words[words.index("--severity") + 1] == "4"


class TestRefusals:
    def options(self, **own: Any) -> CamOptions:
        return CamOptions(data=Path("data"), weights=Path("w.pth"), **own)

    @pytest.mark.parametrize("severity", [0, 6, -1])
    def test_a_severity_that_there_is_not(self, severity: int) -> None:
        with pytest.raises(UsageError, match=rf"^--severity {severity}: give a number in \[1, 5\]$"):
            self.options(corruption="fog", severity=severity)

    @pytest.mark.parametrize(
        ("corruption", "says"),
        [
            ("fogg", r"no corruption 'fogg'; did you mean 'fog'\? There are the groups noise, .*spatter"),
            ("qqq", "no corruption 'qqq'; there are the groups"),
            ("noise", "'noise' is a group of corruptions; choose one: gaussian-noise, shot-noise"),
        ],
    )
    def test_a_name_that_there_is_not(self, corruption: str, says: str) -> None:
        with pytest.raises(UsageError, match=says):
            open_corruption(self.options(corruption=corruption, severity=1), Heard())

    def test_a_corruption_without_a_severity(self) -> None:
        with pytest.raises(UsageError, match="--corruption zoom-blur: give its --severity, 1 to 5"):
            open_corruption(self.options(corruption="zoom_blur"), Heard())

    @pytest.mark.parametrize("stage", [predict, cam])
    def test_objects_that_move_away_from_the_ground_truth(
        self, stage: Any, data: Path, segmenter: Path, classifier: Path, tmp_path: Path
    ) -> None:
        weights = segmenter if stage is predict else classifier
        with pytest.raises(UsageError, match="elastic-transform moves objects"):
            stage(data, weights=weights, output=tmp_path / "x.h5", corruption="elastic_transform", severity=2)
        assert not (tmp_path / "x.h5").exists()

    def test_masks_of_boxes(self, data: Path, segmenter: Path, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="--corruption does not apply to masks of boxes"):
            predict(data, weights=segmenter, output=tmp_path / "x.h5", boxes=Path("b.json"), **FOG)

    def test_frost_without_photographs(self, tmp_path: Path) -> None:
        options = self.options(corruption="frost", severity=1, frost=tmp_path)
        with pytest.raises(MissingInputError, match="no photographs of frost in"):
            open_corruption(options, Heard())

    def test_options_without_effect_are_warned_of(self) -> None:
        options = self.options(severity=3, frost=Path("ice"))
        assert options.warnings(["severity", "frost"]) == [
            "--severity does nothing without --corruption",
            "--frost does nothing without --corruption frost",
        ]


def test_photographs_of_frost_are_inputs_by_content(data: Path, tmp_path: Path) -> None:
    for name, source in (("one", "00"), ("two", "00"), ("three", "01")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ice.png").write_bytes((data / "images" / f"{source}.png").read_bytes())
    options = [
        CamOptions(data=data, weights=Path("w"), corruption="frost", severity=2, frost=tmp_path / name)
        for name in ("one", "two", "three")
    ]
    found = [open_corruption(one, Heard()) for one in options]
    identities = [one.inputs[0].identity for one in found if one]
    assert identities[0] == identities[1] != identities[2]
    assert found[0] and found[0].inputs[0].path == str(tmp_path / "one")
    image = np.full((20, 30, 3), 90, np.uint8)
    assert not np.array_equal(found[0](image, "a"), found[2](image, "a"))  # type: ignore[misc]
    assert photographs(str(tmp_path / "one")) == (tmp_path / "one" / "ice.png",)


def test_a_refiner_that_reads_clean_images_warns(data: Path, tagger: Path, tmp_path: Path) -> None:
    cam(data, weights=tagger, device="cpu", output=tmp_path / "c.h5", **FOG)
    heard = Heard()
    pseudo_mask(tmp_path / "c.h5", output=tmp_path / "plain.h5", messages=heard)
    assert not any("fog" in text for text in heard.warned)
    pseudo_mask(tmp_path / "c.h5", refine="crf", output=tmp_path / "crf.h5", messages=heard)
    wanted = "the class maps are of images under fog, but --refine reads the images as they are"
    assert wanted in heard.warned
