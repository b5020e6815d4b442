"""--ema and --no-ema: which weights of a published file cam, predict and the trainers use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import wsstool as ws
from tests.messages import Heard
from tests.models.heads.test_segformer import scrambled
from tests.stages.toy import QUICK, write_rectangles
from wsstool import store
from wsstool.cli.app import app
from wsstool.models.classifier import build_classifier
from wsstool.models.published.fan import published_names
from wsstool.models.segmenter import build_segmenter
from wsstool.models.weights import load_weights
from wsstool.stages.predict.predict import predict
from wsstool.stages.pseudo_masks.cam import cam
from wsstool.stages.robustness.robustness import robustness
from wsstool.stages.train.cotrain import cotrain
from wsstool.stages.train.train_classifier import train_cls

NOTHING = "--no-ema does nothing: no second set of weights in '{}'"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return write_rectangles(tmp_path / "data", 3)


def classifier_state(seed: int) -> dict[str, torch.Tensor]:
    return published_names(scrambled(build_classifier("fan-micro", 3), seed).state_dict())


def segmenter_state(seed: int) -> dict[str, torch.Tensor]:
    state = scrambled(build_segmenter("segformer-fan-micro", 3, width=8), seed).state_dict()
    return {name.replace("class_attention.", ""): value for name, value in state.items()}


@pytest.fixture(params=["classifier", "segmenter"])
def case(request: pytest.FixtureRequest, data: Path, tmp_path: Path) -> tuple[Any, dict[str, Path]]:
    """A stage, and a file with both sets of weights beside one with each alone."""
    state, stage, own = {
        "classifier": (classifier_state, cam, {"method": "gradcam", "targets": "all"}),
        "segmenter": (segmenter_state, predict, {}),
    }[request.param]
    last, average = ({f"module.{k}": v for k, v in state(seed).items()} for seed in (1, 2))
    content = {"both": {"state_dict": last, "state_dict_ema": average, "epoch": 3}}
    content |= {"last": {"state_dict": last}, "average": {"state_dict_ema": average}}
    for name, one in content.items():
        torch.save(one, tmp_path / f"{name}.pth")

    def run(name: str, messages: Any, **options: Any) -> tuple[list[np.ndarray], str]:
        weights, output = tmp_path / f"{name}.pth", tmp_path / f"{name}{len(options)}.h5"
        found = stage(data, weights=weights, output=output, device="cpu", messages=messages, **own, **options)
        with store.open_records(output) as reader:
            return [record.data.copy() for record in reader.records()], found["key"]

    return run, {name: tmp_path / f"{name}.pth" for name in content}


class TestRecords:
    def test_average_first_and_the_last_on_demand(self, case: Any) -> None:
        run, _ = case
        heard = Heard()
        default, key = run("both", heard)
        last, last_key = run("both", heard, averaged=False)
        assert not heard.warned and key != last_key
        for found, name in ((default, "average"), (last, "last")):
            alone, _ = run(name, heard)
            assert all(np.array_equal(a, b) for a, b in zip(found, alone, strict=True))
        assert any(not np.array_equal(a, b) for a, b in zip(default, last, strict=True))

    @pytest.mark.parametrize("name", ["last", "average"])
    def test_one_set_leaves_no_choice(self, case: Any, name: str) -> None:
        run, paths = case
        heard = Heard()
        _, key = run(name, heard)
        assert not heard.warned
        _, same = run(name, heard, averaged=False)
        assert heard.warned == [NOTHING.format(paths[name])] and key == same


def test_a_rebuilt_command_says_which(data: Path, tmp_path: Path) -> None:
    both = {"state_dict": segmenter_state(1), "state_dict_ema": segmenter_state(2)}
    torch.save(both, tmp_path / "both.pth")
    words = [
        str(data),
        "--weights",
        str(tmp_path / "both.pth"),
        "--device",
        "cpu",
        "-o",
        str(tmp_path / "p.h5"),
    ]
    result = CliRunner().invoke(app, ["predict", *words, "--no-ema"])
    assert result.exit_code == 0, result.stderr
    script = CliRunner().invoke(app, ["info", str(tmp_path / "p.h5"), "--script"]).stdout
    assert "--no-ema" in script


def test_the_gate_follows_the_same_option(data: Path, tmp_path: Path) -> None:
    torch.save(segmenter_state(1), tmp_path / "seg.pth")
    both = {"state_dict": classifier_state(1), "state_dict_ema": classifier_state(2)}
    torch.save(both, tmp_path / "gate.pth")
    torch.save(classifier_state(1), tmp_path / "last.pth")
    heard, found = Heard(), []
    for gate, averaged in (("gate", False), ("last", True), ("gate", True)):
        output = tmp_path / f"{gate}{averaged}.h5"
        predict(
            data,
            weights=tmp_path / "seg.pth",
            gate=tmp_path / f"{gate}.pth",
            class_list=data / "classes.txt",
            averaged=averaged,
            probabilities=True,
            output=output,
            device="cpu",
            messages=heard,
        )
        with store.open_records(output) as reader:
            found.append(np.concatenate([record.data.reshape(-1) for record in reader.records()]))
    assert not heard.warned and np.array_equal(found[0], found[1])


@pytest.mark.parametrize("trainer", [train_cls, cotrain])
def test_initial_weights(data: Path, tmp_path: Path, trainer: Any) -> None:
    last, average = classifier_state(1), classifier_state(2)
    torch.save({"state_dict": last, "state_dict_ema": average}, tmp_path / "both.pth")
    options: dict[str, Any] = {"epochs": 1, "batch_size": 3, "lr": 0.0, "weight_decay": 0.0, "device": "cpu"}
    if trainer is train_cls:
        options |= {"arch": "fan-micro", "image_size": 32, "workers": 0}
    else:
        options |= {**QUICK, "arch": "segformer-fan-micro", "width": 8}
    name, params = "blocks.1.attn.kv.weight", []
    for averaged, expected in ((True, average), (False, last)):
        output = tmp_path / f"{averaged}.pth"
        trainer(data, init=tmp_path / "both.pth", averaged=averaged, output=output, **options)
        weights = load_weights(output)
        assert torch.equal(weights.state_dict[f"backbone.{name}"], expected[name])
        params.append(weights.meta["params"])
        command = weights.meta["provenance"][-1]["command"]
        assert ("--no-init-ema" in command) is not averaged
    assert params[1] == {**params[0], "init_ema": False}


def test_without_initial_weights_there_is_nothing_to_choose(data: Path, tmp_path: Path) -> None:
    words = [
        "train-cls",
        str(data),
        "--arch",
        "tiny",
        "--epochs",
        "1",
        "--image-size",
        "32",
        "--device",
        "cpu",
    ]
    result = CliRunner().invoke(app, [*words, "--no-init-ema", "-o", str(tmp_path / "x.pth")])
    assert result.exit_code == 0 and "--init-ema does nothing without --init" in result.stderr


def test_in_python(data: Path, tmp_path: Path) -> None:
    last, average = segmenter_state(1), segmenter_state(2)
    torch.save({"state_dict": last, "state_dict_ema": average}, tmp_path / "both.pth")
    name = "backbone.blocks.1.attn.kv.weight"
    for ema, expected in ((True, average), (False, last)):
        network = ws.load_segmenter(tmp_path / "both.pth", ema=ema, device="cpu")
        assert torch.equal(network.state_dict()[name], expected[name])


def test_robustness_of_either_copy(data: Path, tmp_path: Path) -> None:
    last, average = (segmenter_state(seed) for seed in (1, 2))
    torch.save({"state_dict": last, "state_dict_ema": average}, tmp_path / "both.pth")
    torch.save(last, tmp_path / "last.pth")
    heard = Heard()

    def run(name: str, averaged: bool) -> list[np.ndarray]:
        weights, output = tmp_path / f"{name}.pth", tmp_path / f"{name}-{averaged}.h5"
        own: dict[str, Any] = {"corruption": ["brightness"], "severity": [5], "averaged": averaged}
        robustness(data, weights=weights, output=output, device="cpu", messages=heard, **own)
        with store.open_records(output) as reader:
            return [record.data.copy() for record in reader.records()]

    chosen, alone, other = run("both", False), run("last", True), run("both", True)
    assert not heard.warned
    assert all(np.array_equal(a, b) for a, b in zip(chosen, alone, strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(chosen, other, strict=True))
    run("last", False)
    assert heard.warned == [NOTHING.format(tmp_path / "last.pth")]
