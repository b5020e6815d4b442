"""FCNs through the stages: trained one after another, restarted, described, fed rightly, dense."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.models.heads.fcn_networks import lively
from tests.stages.toy import QUICK, interrupted, write_rectangles
from wsstool import store
from wsstool.errors import UsageError
from wsstool.models.classifier import normalise
from wsstool.models.heads.fcn import FCN, build_fcn
from wsstool.models.weights import build_from_weights, load_weights, save_weights
from wsstool.stages.predict.predict import predict
from wsstool.stages.train.cotrain import cotrain
from wsstool.stages.train.initial_weights import start_input
from wsstool.training import loop
from wsstool.training.plan import parameter_groups

STAGES = ["fcn8s-tiny=0.003", "fcn4s-tiny", "fcn2s-tiny"]
FAST: dict[str, Any] = {
    **QUICK,
    "stage": STAGES,
    "epochs": 2,
    "batch_size": 3,
    "lr": 1e-3,
    "backbone_rate": 1.0,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """6 images of a coloured rectangle of two sizes, with true masks."""
    return write_rectangles(tmp_path_factory.mktemp("toy"), 6)


def states(folder: Path) -> list[dict[str, torch.Tensor]]:
    names = ("seg.fcn8s-tiny.pth", "seg.fcn4s-tiny.pth", "seg.pth")
    return [load_weights(folder / name).state_dict for name in names]


def test_three_stages_each_from_the_one_before(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the second stage and started again, the result is that of an uninterrupted run."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    done = cotrain(data, output=tmp_path / "a" / "seg.pth", **FAST)
    assert [Path(file).name for file in done["stages"]] == [
        "seg.fcn8s-tiny.pth",
        "seg.fcn4s-tiny.pth",
        "seg.pth",
    ]
    meta = load_weights(tmp_path / "a" / "seg.pth").meta
    assert meta["arch"] == "fcn2s-tiny" and meta["params"]["lr"] == 1e-3
    commands = [step["command"] for step in meta["provenance"]]
    assert ["fcn8s" in c or "fcn4s" in c or "fcn2s" in c for c in commands] == [True] * 3
    assert load_weights(tmp_path / "a" / "seg.fcn8s-tiny.pth").meta["params"]["lr"] == 0.003

    with interrupted(monkeypatch, loop._Run, "end_epoch", 3):  # the first epoch of the second stage
        cotrain(data, output=tmp_path / "b" / "seg.pth", **FAST)
    cotrain(data, output=tmp_path / "b" / "seg.pth", **FAST)
    for one, other in zip(states(tmp_path / "a"), states(tmp_path / "b"), strict=True):
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert cotrain(data, output=tmp_path / "b" / "seg.pth", **FAST)["up_to_date"]


def test_a_finer_stage_begins_with_the_coarser_ones_output(data: Path, tmp_path: Path) -> None:
    """Trained at rate 0 the finer network still is the coarser one, up to two bilinear steps for one."""
    options = {**FAST, "stage": ["fcn8s-tiny=0.003", "fcn4s-tiny=0"]}
    cotrain(data, output=tmp_path / "seg.pth", **options)
    coarse, fine = (build_from_weights(tmp_path / n)[0] for n in ("seg.fcn8s-tiny.pth", "seg.pth"))
    assert not fine.score_4.weight.any()  # type: ignore[union-attr]
    assert torch.equal(fine.score_8.weight, coarse.score_8.weight)  # type: ignore[union-attr]


def test_whole_images_and_summed_loss(data: Path, tmp_path: Path) -> None:
    options = {**FAST, "stage": None, "arch": "fcn4s-tiny", "epochs": 1, "crop_size": 0, "lr": 0.0}
    options |= {"scale_min": 1.0, "scale_max": 1.0, "batch_size": 1}
    for name, reduction in (("sum", "sum"), ("mean", "mean")):
        cotrain(data, output=tmp_path / f"{name}.pth", settings=[f"reduction={reduction}"], **options)
    losses = [
        json.loads((tmp_path / f"{name}.pth.log.jsonl").read_text().splitlines()[-1])["loss"]
        for name in ("sum", "mean")
    ]
    pixels = np.mean([np.asarray(Image.open(p)).size for p in (data / "masks").iterdir()])
    assert losses[1] == pytest.approx(np.log(3), rel=1e-4)  # zero scores: every class alike
    assert losses[0] == pytest.approx(pixels * np.log(3), rel=1e-4)


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"stage": ["fcn8s-tiny=fast"]}, "ARCH=LR"),
        ({"stage": ["fcn8s-tiny", "fcn8s-tiny=1"]}, "given twice"),
        ({"stage": ["fcn32s-tiny"]}, "stride 32"),
        ({"stage": None, "arch": "fcn8s-tiny", "crop_size": 0}, "--batch-size 1"),
        ({"stage": None, "arch": "fcn8s-tiny", "normalization": "matlab"}, "caffe"),
        ({"stage": None, "arch": "fcn8s-tiny", "upsampling": "deep"}, "choose from fixed, learned"),
        ({"stage": None, "arch": "fcn-tiny", "normalization": "caffe"}, "RGB"),
        ({"stage": None, "arch": "fcn8s-tiny", "settings": ["reduction=max"]}, "mean or sum"),
    ],
)
def test_what_cannot_be_done(data: Path, tmp_path: Path, own: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        cotrain(data, output=tmp_path / "s.pth", **{**FAST, **own})
    assert not (tmp_path / "s.pth").exists()


def test_stages_want_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name a file"):
        cotrain("-", output=tmp_path / "s.pth", **FAST)


def test_caffes_input_stands_in_the_weights(data: Path, tmp_path: Path) -> None:
    """The description is enough: blue first, in steps of 1, minus the mean."""
    options = {**FAST, "stage": None, "arch": "fcn8s-tiny", "normalization": "caffe", "epochs": 1}
    cotrain(data, output=tmp_path / "seg.pth", **options)
    network, meta = build_from_weights(tmp_path / "seg.pth")
    assert isinstance(network, FCN) and meta["channel_order"] == "bgr"
    seen: list[torch.Tensor] = []
    first = network.backbone.features[0]  # type: ignore[union-attr, index]
    first.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))  # type: ignore[operator]
    red = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    red[:, 0] = 200
    network(normalise(red, meta["mean"], meta["std"]))
    wanted = torch.tensor([-104.00698793, -116.66876762, 200 - 122.67891434])
    torch.testing.assert_close(seen[0][0, :, 0, 0], wanted)
    assert (
        start_input("auto", load_weights(tmp_path / "seg.pth"), backbone="vgg-16")["channel_order"] == "bgr"
    )
    assert (
        start_input("imagenet", load_weights(tmp_path / "seg.pth"), backbone="vgg-16")["channel_order"]
        == "rgb"
    )


def test_the_vgg_from_caffe_is_known_by_its_sum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "vgg16.pth"
    torch.save({"features.0.weight": torch.zeros(1)}, path)
    start = load_weights(path)
    assert start_input("auto", start, path, backbone="vgg-16")["channel_order"] == "rgb"
    sum_of_file = hashlib.md5(path.read_bytes()).hexdigest()
    monkeypatch.setattr("wsstool.models.published.pytorch_fcn.CAFFE_VGG16", sum_of_file)
    assert start_input("auto", start, path, backbone="vgg-16")["channel_order"] == "bgr"
    assert start_input("imagenet", start, path, backbone="vgg-16")["channel_order"] == "rgb"


def test_rates_of_biases() -> None:
    network = build_fcn("fcn4s", "tiny", 2)
    groups = parameter_groups(network, 0.5, 2.0)
    assert [(g["lr_scale"], g.get("weight_decay")) for g in groups] == [
        (0.5, None),
        (1.0, 0.0),
        (1.0, None),
        (2.0, 0.0),
    ]
    assert sum(len(g["params"]) for g in groups) == sum(p.requires_grad for p in network.parameters())
    assert [g["lr_scale"] for g in parameter_groups(network, 0.5)] == [0.5, 1.0]


def dense_weights(path: Path) -> Path:
    torch.manual_seed(0)
    network = lively(build_fcn("fcn8s", "tiny", 3))
    meta = {
        "arch": "fcn8s-tiny",
        "task": "segmentation",
        "classes": ["ground", "cat", "dog"],
        "class_ids": [0, 1, 2],
        "background": 0,
        "mean": [0.5] * 3,
        "std": [0.25] * 3,
    }
    save_weights(path, network.state_dict(), meta)
    return path


def test_dense_prediction_both_ways(data: Path, tmp_path: Path) -> None:
    weights = dense_weights(tmp_path / "seg.pth")
    maps = []
    for how in (None, "rarefy", "shift-and-stitch"):
        output = tmp_path / f"{how}.h5"
        options: dict[str, Any] = {"probabilities": True, "dtype": "float32", "shard": "0/6"}
        predict(data, weights=weights, dense=how, output=output, device="cpu", **options)
        with store.open_records(output) as reader:
            maps.append([record.data for record in reader.records()])
    plain, rarefied, stitched = maps
    for a, b, c in zip(plain, rarefied, stitched, strict=True):
        np.testing.assert_allclose(b, c, atol=1e-5)
        assert np.abs(a - b).max() > 1e-4


def test_dense_prediction_refuses_what_it_is_not_for(data: Path, tmp_path: Path) -> None:
    network = build_fcn("fcn4s", "tiny", 3)
    meta = load_weights(dense_weights(tmp_path / "one.pth")).meta | {"arch": "fcn4s-tiny"}
    save_weights(tmp_path / "skips.pth", network.state_dict(), meta)
    with pytest.raises(UsageError, match="single score map"):
        predict(data, weights=tmp_path / "skips.pth", dense="rarefy", output=tmp_path / "x.h5", device="cpu")
