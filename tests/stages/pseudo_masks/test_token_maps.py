"""``cam --method token`` and the masks made from it: raw logits, probabilities, what thresholds mean."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F
from typer.testing import CliRunner

import wsstool as ws
from tests.messages import Heard
from tests.stages.pseudo_masks.test_pseudo_mask import write_cams
from wsstool import store
from wsstool.cli.app import app
from wsstool.errors import BadInputError, UsageError
from wsstool.models.classifier import NORMALIZATIONS, build_classifier, normalise
from wsstool.models.weights import build_from_weights, save_weights
from wsstool.stages.program.sample import sample
from wsstool.stages.pseudo_masks.cam import cam
from wsstool.stages.pseudo_masks.pseudo_mask import pseudo_mask
from wsstool.stages.scoring.predictions import open_predictions
from wsstool.types import ClassList

NAMES = ("background", "coin", "crate", "horse", "leaf", "star")
"""The classes of ``sample``."""


def write_labeler(path: Path, *, single_label: bool, token_head: bool = True) -> Path:
    """A network with random weights that is sure of some tokens; it does not say that it has a token head."""
    torch.manual_seed(1)
    model = build_classifier("fan-micro", 5, token_head=token_head)
    if token_head:
        with torch.no_grad():
            model.head.aux_head.weight.mul_(20)
    mean, std = NORMALIZATIONS["imagenet"]
    meta = {"arch": "fan-micro", "task": "classification", "class_ids": [1, 2, 3, 4, 5], "background": 0}
    save_weights(
        path,
        model.state_dict(),
        meta | {"classes": list(NAMES), "mean": mean, "std": std, "single_label": single_label},
    )
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("drawn") / "data"
    sample(output=root, count=4, size=96)
    write_labeler(root / "single.pth", single_label=True)
    write_labeler(root / "multi.pth", single_label=False)
    write_labeler(root / "plain.pth", single_label=True, token_head=False)
    return root


def token_logits(data: Path, weights: str, name: str) -> torch.Tensor:
    """(5,h,w), straight from the network."""
    model, meta = build_from_weights(data / weights)
    pixels = torch.from_numpy(np.array(Image.open(data / name))).permute(2, 0, 1)[None]
    with torch.no_grad():
        return model.with_token_maps(normalise(pixels, meta["mean"], meta["std"]))[1][0]


def cams_of(data: Path, path: Path, weights: str = "single.pth", **options) -> Path:
    fixed = {"method": "token", "targets": "all", "dtype": "float32", "device": "cpu"}
    cam(data, weights=data / weights, output=path, **fixed | options)
    return path


class TestClassMaps:
    def test_raw_maps_are_the_logits_up_to_the_scale(self, data: Path, tmp_path: Path) -> None:
        path = cams_of(data, tmp_path / "c.h5", settings=["values=logits"])
        with ws.open(path) as file:
            assert len(file) == 4
            for record in file.values():
                expected = token_logits(data, "single.pth", record.name).numpy()
                np.testing.assert_allclose(record.data, expected, rtol=1e-4, atol=1e-5)
                assert not record.maps.normalisation
        with store.open_records(path) as reader:
            assert all(np.abs(record.data).max() == 1 for record in reader.records())
            assert "values" not in reader.header.attributes

    @pytest.mark.parametrize(("weights", "dtype"), [("single.pth", "float32"), ("multi.pth", "float16")])
    def test_probabilities_are_stored_as_they_are(
        self, data: Path, tmp_path: Path, weights: str, dtype: str
    ) -> None:
        path = cams_of(data, tmp_path / "c.h5", weights, dtype=dtype)
        with store.open_records(path) as reader:
            assert reader.header.attributes["values"] == "probability"
            assert reader.header.normalisation == "none"
            for record in reader.records():
                logits = token_logits(data, weights, record.name)
                expected = logits.softmax(0) if weights == "single.pth" else logits.sigmoid()
                np.testing.assert_allclose(record.data, expected, atol=1e-3 if dtype == "float16" else 1e-5)
            assert np.array_equal(reader.tail["scale"].ravel(), np.ones(4))

    def test_several_passes_keep_probabilities(self, data: Path, tmp_path: Path) -> None:
        path = cams_of(data, tmp_path / "c.h5", scale=[0.5, 1.0], flip=True)
        with store.open_records(path) as reader:
            for record in reader.records():
                assert record.data.shape == (5, 24, 24)
                np.testing.assert_allclose(record.data.sum(0), 1, atol=1e-5)

    def test_only_tagged_classes_have_maps(self, data: Path, tmp_path: Path) -> None:
        path = cams_of(data, tmp_path / "c.h5", targets="labels")
        with store.open_records(path) as reader:
            for record in reader.records():
                every = token_logits(data, "single.pth", record.name).softmax(0)
                np.testing.assert_allclose(record.data, every[np.array(record.class_ids) - 1], atol=1e-5)

    def test_in_memory(self, data: Path, tmp_path: Path) -> None:
        path = cams_of(data, tmp_path / "c.h5", flip=True)
        network = ws.load_classifier(data / "single.pth", device="cpu")
        with ws.open(path) as file:
            name, record = next(iter(file.items()))
            stored = record.maps
        maps = ws.cams.token(network, np.array(Image.open(data / name)), flip=True)
        assert maps.normalisation == stored.normalisation == "none"
        np.testing.assert_allclose(maps.data, stored.data, atol=1e-5)
        np.testing.assert_allclose(maps.data.sum(0), 1, atol=1e-5)  # a softmax, as the weights say
        labels = ws.label_map(maps, rule="threshold", high=0.6, low=0.4)
        again = ws.label_map(maps, rule="threshold", high=0.6, low=0.4, normalise="none")
        assert np.array_equal(labels, again)
        assert "token" in dir(ws.cams)


def labels_by_hand(data: Path, name: str, high: float, low: float) -> np.ndarray:
    """The class of the highest probability per pixel, where it is high; background where it is low."""
    probabilities = token_logits(data, "single.pth", name).softmax(0)
    scores = F.interpolate(probabilities[None], (96, 96), mode="bilinear", align_corners=False)[0].numpy()
    best = scores.max(0)
    return np.where(best >= high, 1 + scores.argmax(0), np.where(best < low, 0, 255))


class TestMasks:
    @pytest.mark.parametrize(("high", "low"), [(0.7, 0.5), (0.9, 0.9)])
    def test_thresholds_are_probabilities(self, data: Path, tmp_path: Path, high: float, low: float) -> None:
        path = cams_of(data, tmp_path / "c.h5")
        heard = Heard()
        pseudo_mask(
            path,
            output=tmp_path / "m.h5",
            rule="threshold",
            settings=[f"high={high}", f"low={low}"],
            messages=heard,
        )
        seen = set()
        with store.open_records(tmp_path / "m.h5") as reader:
            assert reader.header.params["normalise"] == "none"
            for record in reader.records():
                expected = labels_by_hand(data, record.name, high, low)
                assert (record.data[0] != expected).mean() < 2e-3  # rounding, where two scores meet
                seen |= set(np.unique(expected).tolist())
        assert {0, 255} & seen and len(seen - {0, 255}) > 1
        assert not heard.warned

    def test_rescaling_them_is_warned_of(self, data: Path, tmp_path: Path) -> None:
        path, heard = cams_of(data, tmp_path / "c.h5"), Heard()
        pseudo_mask(path, output=tmp_path / "m.h5", normalise="joint", rule="threshold", messages=heard)
        assert "--normalise joint rescales probabilities" in heard.warned[0]
        raw = cams_of(data, tmp_path / "raw.h5", settings=["values=logits"])
        pseudo_mask(raw, output=tmp_path / "n.h5", normalise="joint", rule="threshold", messages=heard)
        assert len(heard.warned) == 1

    def test_eval_goes_by_the_same_scores(self, data: Path, tmp_path: Path) -> None:
        path = cams_of(data, tmp_path / "c.h5")
        pseudo_mask(path, output=tmp_path / "m.h5", background_threshold="0.6")
        with (
            open_predictions(path, background_threshold=0.6) as ours,
            open_predictions(tmp_path / "m.h5") as masks,
        ):
            for one, other in zip(ours, masks, strict=True):
                assert np.array_equal(one.layers[0].labels, other.layers[0].labels)

    def test_in_one_pipe(self, data: Path, tmp_path: Path) -> None:
        program = f"{shlex.quote(sys.executable)} -m wsstool"
        line = (
            f"{program} cam {data} --weights {data / 'single.pth'} --method token --quiet | "
            f"{program} pseudo-mask --rule threshold --set high=0.8 --set low=0.4 -o {tmp_path / 'm.h5'}"
        )
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {line}"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        with store.open_records(tmp_path / "m.h5") as reader:
            steps = [step["stage"] for step in reader.header.provenance]
            assert steps[-2:] == ["cam", "pseudo-mask"] and len(list(reader.records())) == 4


class TestRefusals:
    def test_more_classes_than_a_label_map_holds(self, tmp_path: Path) -> None:
        classes = ClassList(tuple(f"class_{i}" for i in range(300)))
        maps, messages = [np.ones((2, 2, 3), np.float32)], r"classes 0 to 254; .* has class 255"
        path = write_cams(tmp_path / "c.h5", maps, classes=classes, ids=[[3, 255]])
        with pytest.raises(BadInputError, match=messages):
            pseudo_mask(path, output=tmp_path / "m.h5")
        with pytest.raises(BadInputError, match=messages), open_predictions(path):
            pass
        write_cams(tmp_path / "few.h5", maps, classes=classes, ids=[[3, 254]])
        pseudo_mask(tmp_path / "few.h5", output=tmp_path / "m.h5")

    def test_networks_without_token_head(self, data: Path, tmp_path: Path) -> None:
        out = tmp_path / "c.h5"
        line = ["cam", "--quiet", str(data), "--method", "token", "-o", str(out)]
        done = CliRunner().invoke(app, [*line, "--weights", str(data / "plain.pth")])
        assert done.exit_code == 2 and len(done.stderr.splitlines()) == 1
        assert "token needs a network trained with a token head" in done.stderr
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"settings": ["values=softmax"]}, "values must be probability or logits"),
            ({"layer": ["blocks.1"]}, "use gradcam for other layers"),
            ({"settings": ["top_channels=3"]}, "'token' has no option 'top_channels'; it has: values"),
        ],
    )
    def test_leave_nothing_behind(self, data: Path, tmp_path: Path, options: dict, says: str) -> None:
        with pytest.raises(UsageError, match=says):
            cams_of(data, tmp_path / "c.h5", **options)
        assert os.listdir(tmp_path) == []
