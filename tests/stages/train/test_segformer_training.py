"""cotrain and predict with SegFormer on a FAN, and the options that only a FAN has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from tests.messages import Heard
from tests.stages.toy import QUICK, write_rectangles
from wsstool import store
from wsstool.cli.app import app
from wsstool.models.fan.drop_path import DropPath
from wsstool.models.segmenter import build_segmenter
from wsstool.models.weights import build_from_weights, load_weights, save_weights
from wsstool.stages.options.trainers.cotrain import CotrainOptions
from wsstool.stages.options.trainers.train_cls import TrainClsOptions
from wsstool.stages.options.trainers.training import is_fan
from wsstool.stages.predict.predict import predict
from wsstool.stages.train.cotrain import cotrain
from wsstool.stages.train.train_classifier import train_cls
from wsstool.training.classification_task import ClassificationTask
from wsstool.training.cotraining.segmentation_task import CoTraining

FAST: dict[str, Any] = {**QUICK, "arch": "segformer-fan-micro", "epochs": 1, "batch_size": 4, "width": 16}
CLS: dict[str, Any] = {"arch": "fan-micro", "image_size": 32, "epochs": 1, "workers": 0, "device": "cpu"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """8 images of 40 x 36 and 33 x 50 pixels with ground truth."""
    (tmp_path / "data").mkdir()
    return write_rectangles(tmp_path / "data", 8)


@pytest.fixture
def drop_rates(monkeypatch: pytest.MonkeyPatch) -> list[set[float]]:
    """The drop path rates of the network at each step of a training."""
    found: list[set[float]] = []

    def watched(kind: type) -> None:
        plain = kind.loss

        def loss(self: Any, *given: Any) -> Any:
            (module, *_) = self.modules().values()
            found.append({part.rate for part in module.modules() if isinstance(part, DropPath)})
            return plain(self, *given)

        monkeypatch.setattr(kind, "loss", loss)

    watched(CoTraining)
    watched(ClassificationTask)
    return found


def test_two_steps_and_a_prediction(data: Path, tmp_path: Path, drop_rates: list) -> None:
    weights, heard = tmp_path / "seg.pth", Heard()
    done = cotrain(data, output=weights, **{**FAST, "width": None})
    assert done["images"] == 8 and drop_rates == [{0.0}] * 2
    model, meta = build_from_weights(weights)
    assert meta["arch"] == "segformer-fan-micro" and meta["output_stride"] == 16
    assert "floored_positions" not in meta and model.backbone.get_submodule("pos_embed").floored
    assert model.decode_head.linear_pred.in_channels == 256
    before = build_segmenter("segformer-fan-micro", 3).state_dict()
    assert meta["params"].keys() & {"drop_path", "floored_positions", "init_ema", "ema"} == {"ema"}
    assert not torch.equal(before["decode_head.linear_pred.bias"], model.decode_head.linear_pred.bias)
    predict(data, weights=weights, output=tmp_path / "p.h5", device="cpu", messages=heard)
    assert heard.text.count("fan-micro pads 8 of 8 images at the right and bottom by repeating") == 1
    with store.open_records(tmp_path / "p.h5") as reader:
        assert {record.data.shape for record in reader.records()} == {(1, 40, 36), (1, 33, 50)}
    assert cotrain(data, output=weights, **{**FAST, "width": None})["up_to_date"]


class TestDropPath:
    def test_is_the_same_in_every_block_of_a_segmenter(
        self, data: Path, tmp_path: Path, drop_rates: list
    ) -> None:
        cotrain(data, output=tmp_path / "seg.pth", drop_path=0.25, **FAST)
        assert drop_rates == [{0.25}] * 2
        assert load_weights(tmp_path / "seg.pth").meta["params"]["drop_path"] == 0.25

    def test_of_a_classifier(self, data: Path, tmp_path: Path, drop_rates: list) -> None:
        train_cls(data, output=tmp_path / "a.pth", drop_path=0.5, **CLS)
        train_cls(data, output=tmp_path / "b.pth", **CLS)
        assert drop_rates == [{0.5}, {0.0}]
        a, b = (load_weights(tmp_path / f"{name}.pth").meta["params"] for name in "ab")
        assert a == {**b, "drop_path": 0.5}

    @pytest.mark.parametrize("options", [CotrainOptions, TrainClsOptions])
    def test_does_nothing_on_other_networks(self, options: type) -> None:
        own = {"data": Path("x")} if options is TrainClsOptions else {}
        other = options(drop_path=0.25, **own)
        assert other.warnings(["drop_path"]) == ["--drop-path does nothing without a FAN network (--arch)"]
        assert "drop_path" not in other.key_params()
        arch = "fan-tiny" if own else "linear-fan-tiny"
        assert not options(drop_path=0.25, arch=arch, **own).warnings(["drop_path"])

    def test_counts_in_the_stages_of_a_sequence(self) -> None:
        options = CotrainOptions(stage=["fcn32s-vgg-16=.1", "fcn16s-fan-micro=.1"], drop_path=0.1)
        assert not options.warnings(["drop_path"])
        assert CotrainOptions(stage=["fcn32s-vgg-16"], drop_path=0.1).warnings(["drop_path"])

    @pytest.mark.parametrize(
        ("arch", "answer"), [("segformer-fanmicro", True), ("fan-large", True), ("fcn8s-vgg-16", False)]
    )
    def test_the_family_by_name(self, arch: str, answer: bool) -> None:
        assert is_fan(arch) is answer


class TestPositions:
    def form(self, weights: Path) -> bool:
        model, _ = build_from_weights(weights)
        return bool(model.backbone.get_submodule("pos_embed").floored)

    @pytest.mark.parametrize("head", ["segformer", "linear"])
    def test_as_asked(self, data: Path, tmp_path: Path, head: str) -> None:
        options = {**FAST, "arch": f"{head}-fan-micro", "floored_positions": False}
        cotrain(data, output=tmp_path / "seg.pth", **options)
        assert not self.form(tmp_path / "seg.pth")
        command = load_weights(tmp_path / "seg.pth").meta["provenance"][-1]["command"]
        assert "--no-floored-positions" in command

    def test_of_the_initial_weights(self, data: Path, tmp_path: Path) -> None:
        first, second, third = (tmp_path / f"{name}.pth" for name in ("first", "second", "third"))
        cotrain(data, output=first, **FAST, floored_positions=False)
        cotrain(data, output=second, init=first, **FAST)
        cotrain(data, output=third, init=first, **FAST, floored_positions=True)
        assert [self.form(path) for path in (first, second, third)] == [False, False, True]


def test_classifier_and_segmenter_start_from_each_other(data: Path, tmp_path: Path) -> None:
    cls, seg, again = (tmp_path / f"{name}.pth" for name in ("cls", "seg", "again"))
    still = {"lr": 0.0, "weight_decay": 0.0}
    train_cls(data, output=cls, **CLS)
    cotrain(data, output=seg, init=cls, **FAST, **still)
    train_cls(data, output=again, init=seg, **CLS, **still)
    states = [load_weights(path).state_dict for path in (cls, seg, again)]
    places = ("head", "backbone.class_attention", "head")
    tokens = [state[f"{place}.cls_token"] for state, place in zip(states, places, strict=True)]
    assert torch.equal(tokens[0], tokens[1]) and torch.equal(tokens[0], tokens[2])
    name = "backbone.blocks.2.attn.kv.weight"
    assert all(torch.equal(states[0][name], state[name]) for state in states)


def test_another_size_is_named(data: Path, tmp_path: Path) -> None:
    meta = {"arch": "fan-micro", "task": "classification", "class_ids": [1, 2], "classes": ["a", "b", "c"]}
    train_cls(data, output=tmp_path / "cls.pth", **CLS)
    save_weights(tmp_path / "cls.pth", load_weights(tmp_path / "cls.pth").state_dict, meta)
    for command, arch in (("train-cls", "fan-tiny"), ("cotrain", "segformer-fan-tiny")):
        words = [command, str(data), "--arch", arch, "--init", str(tmp_path / "cls.pth"), "--epochs", "1"]
        result = CliRunner().invoke(app, [*words, "-o", str(tmp_path / "x.pth"), "--device", "cpu"])
        assert result.exit_code == 65
        assert "the weights are those of fan-micro and do not fit fan-tiny" in result.stderr


def test_images_below_32_pixels_are_left_out_of_the_validation(data: Path, tmp_path: Path) -> None:
    for folder in ("images", "masks"):
        Image.open(data / folder / "00.png").crop((0, 0, 12, 12)).save(data / folder / "00.png")
    done = cotrain(data, output=tmp_path / "seg.pth", val=data, **{**FAST, "epochs": 1})
    assert 0 <= done["val_mean_iou"] <= 1
