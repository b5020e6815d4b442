"""cotrain on several label maps with a class that belongs to no output, and what its weights then do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.messages import Heard
from tests.stages.toy import QUICK, true_mask, write_classes, write_label_maps, write_pair
from wsstool import store
from wsstool.cli.recipe_file import recipe_text
from wsstool.errors import UsageError
from wsstool.models.weights import load_weights
from wsstool.stages.predict.predict import predict
from wsstool.stages.scoring.evaluate import evaluate
from wsstool.stages.train.cotrain import cotrain
from wsstool.stages.train.layer_weights import layer_weights
from wsstool.types import ClassList

CLASSES = ClassList(("red", "white", "blue"), -1, ((200, 60, 60), (245, 245, 245), (60, 60, 200)))
LAYERS = ("net.b4_5", "net.b5_2", "net.bn7")
N, SIZE = 9, 32
FAST: dict[str, Any] = {
    **QUICK,
    "method": "multilayer",
    "arch": "deeplabv3plus-tiny",
    "width": 16,
    "scale_min": 1.0,
    "scale_max": 1.0,
    "blur": 1.0,
    "normalization": "none",
    "layer_weight": ["bn7=.6", "b5_2=.2", "b4_5=.2"],
    "ignore_class": "white",
    "settings": ["divide=false"],
    "epochs": 12,  # 8 are too few for some seeds and versions of torch
    "batch_size": 4,
    "lr": 5e-3,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Patches of two colours and a white corner, with true masks."""
    root = tmp_path_factory.mktemp("patches")
    rng = np.random.default_rng(0)
    for i in range(N):
        mask = np.zeros((SIZE, SIZE), np.uint8)
        mask[:, 8 + i :] = 2
        mask[:6, :10] = 1
        write_pair(root, str(i), mask, rng.normal(0, 10, (SIZE, SIZE, 3)), np.array(CLASSES.palette))
    write_classes(root, CLASSES)
    return root


@pytest.fixture(scope="module")
def masks(data: Path) -> Path:
    """Three label maps an image: the truth, and two that are moved a little but agree about white."""
    names, maps = [f"images/{i}.png" for i in range(N)], []
    for name in names:
        one = true_mask(data, name)
        moved = [np.where(one == 1, 1, np.roll(np.maximum(one, 2 * (one == 1)), k, 1)) for k in (1, -1)]
        maps.append(np.stack([*moved, one]))
    return write_label_maps(data / "masks.h5", data, names, maps, LAYERS, CLASSES)


@pytest.fixture(scope="module")
def trained(data: Path, masks: Path) -> tuple[Path, Heard]:
    heard = Heard()
    cotrain(masks, output=data / "seg.pth", val=data, messages=heard, **FAST)
    return data / "seg.pth", heard


def test_it_learns_and_never_predicts_the_ignored_class(data: Path, trained: tuple[Path, Heard]) -> None:
    meta = load_weights(trained[0]).meta
    assert meta["class_ids"] == [0, 2] and meta["classes"] == list(CLASSES.names)
    assert (meta["mean"], meta["std"]) == ([0.0] * 3, [1.0] * 3)
    assert meta["params"]["layer_weight"] == [0.2, 0.2, 0.6]
    assert len(load_weights(trained[0]).state_dict["decoder.last_conv.8.bias"]) == 2
    predict(data, weights=trained[0], output=data / "pred.h5", device="cpu")
    with store.open_records(data / "pred.h5") as reader:
        assert {int(v) for r in reader.records() for v in np.unique(r.data)} == {0, 2}
    row = evaluate([data / "pred.h5"], truth=data, ignore_class="white", bootstrap=0)["rows"][0]
    assert row["miou"] > 0.8
    assert row["classes"]["iou"]["white"] is None
    assert row["miou"] == pytest.approx(meta["summary"]["val_mean_iou"], abs=1e-6)


def test_iou_of_each_class_is_said_each_epoch(trained: tuple[Path, Heard]) -> None:
    path, heard = trained
    lines = [line for line in heard.lines if line.startswith("IoU on the validation images: red ")]
    assert len(lines) == FAST["epochs"] and all(", blue " in line and "white" not in line for line in lines)
    log = [json.loads(line) for line in path.with_name("seg.pth.log.jsonl").read_text().splitlines()]
    assert set(log[-1]["val_iou"]) == {"red", "blue"}
    best = max(log, key=lambda figures: figures["val_mean_iou"])
    assert load_weights(path).meta["summary"]["epoch"] == best["epoch"]  # the first of the best


def test_a_last_batch_of_one_is_left_out_and_said(trained: tuple[Path, Heard]) -> None:
    assert N % FAST["batch_size"] == 1
    assert any("leaves out one image" in line for line in trained[1].lines)


@pytest.mark.parametrize("method", ["plain", "coteaching", "self-training", "ema-teacher"])
def test_every_method_ignores_a_class(masks: Path, tmp_path: Path, method: str) -> None:
    own = {**FAST, "method": method, "settings": None, "epochs": 1, "batch_size": 9}
    done = cotrain(masks, output=tmp_path / "s.pth", **own)
    assert np.isfinite(done["loss"])
    assert load_weights(tmp_path / "s.pth").meta["class_ids"] == [0, 2]


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ({"ignore_class": "green"}, "green.*red, white, blue"),
        ({"layer_weight": ["bn7=1"]}, r"--layer-weight is missing for net\.b4_5, net\.b5_2; 0 leaves"),
        ({"layer_weight": ["bn8=1", "bn7=1", "b5_2=1"]}, "bn8"),
        ({"settings": ["main=b9"]}, r"--set main=b9: no label map has the name 'b9'; there are: net\.b4_5"),
        ({"settings": ["excluded=never"]}, "--set excluded=never: give channel or index"),
        ({"settings": ["loss=dice"]}, "--set loss=dice: give cross-entropy, .*focal"),
        (
            {"method": "plain", "settings": ["loss=dice"]},
            "--set loss=dice: .*ised or symmetric",
        ),
        ({"method": "coteaching", "settings": ["pool=sea"]}, "--set pool=sea: "),
        ({"momentum": 1.0, "optimizer": "sgd"}, r"--momentum 1: give a number in \[0, 1\)"),
        ({"arch": "deeplabv3plus-xception"}, "HEAD-BACKBONE"),
        ({"batch_size": 1}, "--batch-size 2"),
        ({"normalization": "mine"}, "normalization"),
        ({"warmup_start": 2.0}, "warmup-start"),
        ({"blur": -1.0}, "blur"),
    ],
)
def test_what_cannot_be_done(masks: Path, tmp_path: Path, own: dict[str, Any], says: str) -> None:
    heard = Heard()
    with pytest.raises(UsageError, match=says):
        cotrain(masks, output=tmp_path / "s.pth", **{**FAST, **own}, messages=heard)
    assert heard.lines == [] and not any(tmp_path.iterdir())


def test_weights_by_position_by_name_and_by_default() -> None:
    assert layer_weights(None, LAYERS) == [1 / 3] * 3
    assert layer_weights([0.2, "0.3", ".5"], LAYERS) == [0.2, 0.3, 0.5]
    assert layer_weights(["net.bn7=1", "b4_5=0", "b5_2=0"], LAYERS) == [0, 0, 1]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            ["1", "1"],
            "must be given 3 times, once for each of net.b4_5, net.b5_2, net.bn7, not twice",
        ),
        (["1"] * 4, "must be given 3 times, once for each of net.b4_5, net.b5_2, net.bn7, not 4 times"),
        (["a", "1", "1"], "a: 'a' is not a number of 0 or more"),
        (["-1", "1", "1"], "-1: '-1' is not a number"),
        (["nan", "1", "1"], "nan: 'nan' is not a number"),
        (["bn7=x", "b4_5=1", "b5_2=1"], "bn7=x: 'x' is not a number"),
        (["0", "0", "0"], "is 0 for every layer"),
        (["bn7=1"] * 3, "bn7=1: net.bn7 is given twice"),
        (["bn7=1", "1", "1"], "1: name the layer in all"),
        (["bn8=1", "b4_5=1", "b5_2=1"], "bn8=1: no label map has the name 'bn8'; there are: net.b4_5, "),
        (["bn7=1", "b4_5=1"], "is missing for net.b5_2; 0 leaves a layer out"),
    ],
)
def test_weights_that_do_not_fit_say_why(given: list[str], says: str) -> None:
    with pytest.raises(UsageError) as error:
        layer_weights(given, LAYERS)
    assert str(error.value).startswith(f"--layer-weight {says}")


@pytest.mark.parametrize("name", ["wsss-tissue-luad", "wsss-tissue-bcss"])
def test_the_recipes_are_the_published_numbers(name: str) -> None:
    import tomllib

    recipe = tomllib.loads(recipe_text(name))
    own = recipe["cotrain"]
    assert layer_weights(own["layer-weight"], LAYERS) == [0.2, 0.2, 0.6]
    assert own["lr"] * own["backbone-rate"] == pytest.approx(0.01) and own["lr"] == 0.1
    assert (own["epochs"], own["batch-size"], own["weight-decay"]) == (30, 20, 5e-4)
    assert recipe["predict"]["gate-form"] == "multiply"
