"""cotrain and predict on a toy set: learn, resume, skip, restrict, average, and say what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.messages import Heard
from tests.stages.toy import (
    CLASSES,
    QUICK,
    interrupted,
    true_mask,
    write_label_maps,
    write_rectangles,
    write_splits,
)
from wsstool import store
from wsstool.errors import BadInputError, CannotWriteError, MissingInputError, SomeFailedError, UsageError
from wsstool.models.weights import load_weights
from wsstool.stages.predict.predict import predict
from wsstool.stages.train.cotrain import cotrain
from wsstool.training import loop

FAST: dict[str, Any] = {
    **QUICK,
    "arch": "fcn-tiny",
    "scale_min": 0.8,
    "scale_max": 1.2,
    "epochs": 6,
    "batch_size": 4,
    "lr": 3e-3,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 images of a coloured rectangle, with tags and true masks."""
    root = write_rectangles(tmp_path_factory.mktemp("toy"), 16)
    write_splits(root, train=range(12), val=range(12, 16))
    return root


def mask_file(data: Path, path: Path, n: int = 12, layers: int = 1, fail: int | None = None) -> Path:
    """A mask file of the first images; a second layer holds nonsense."""
    names = [f"images/{i:02d}.png" for i in range(n)]
    true = [true_mask(data, name) for name in names]
    maps = [np.stack([one, *[np.full_like(one, 255)] * (layers - 1)]) for one in true]
    return write_label_maps(path, data, names, maps, [f"l{i}" for i in range(layers)], fail=fail)


def test_a_listed_class_without_a_pixel_is_said(data, tmp_path):
    names = [f"images/{i:02d}.png" for i in range(4)]
    maps = [np.where(mask == 2, 0, mask)[None] for mask in (true_mask(data, name) for name in names)]
    masks = write_label_maps(tmp_path / "m.h5", data, names, maps, ["l"])
    heard, plain = Heard(), Heard()
    options = {**FAST, "epochs": 1}
    cotrain(masks, output=tmp_path / "a.pth", messages=heard, **options)
    cotrain(data, split="val", output=tmp_path / "b.pth", messages=plain, **options)
    assert f"no pseudo-mask contains the class {CLASSES.names[2]}" in heard.warned
    assert not any("contains the class" in text for text in plain.warned)


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of two networks from a mask file."""
    folder = tmp_path_factory.mktemp("trained")
    masks = mask_file(data, folder / "masks.h5")
    cotrain(masks, output=folder / "seg.pth", method="coteaching", val=data, val_split="val", **FAST)
    return folder / "seg.pth"


def accuracy(data: Path, masks: Path) -> float:
    with store.open_records(masks) as reader:
        shares = [(r.data[0] == true_mask(data, r.name)).mean() for r in reader.records()]
    return float(np.mean(shares))


def test_chain_learns_and_describes_itself(data: Path, trained: Path, tmp_path: Path) -> None:
    weights = load_weights(trained)
    assert weights.state_dict_2 is not None
    assert weights.meta["class_ids"] == [0, 1, 2] and weights.meta["supervision"] == "pseudo-masks"
    assert weights.meta["summary"]["val_mean_iou"] > 0.6
    assert [step["stage"] for step in weights.meta["provenance"]][-1] == "cotrain"
    assert not trained.with_name("seg.pth.part").exists() and trained.with_name("seg.pth.log.jsonl").exists()
    done = predict(data, split="val", weights=trained, output=tmp_path / "p.h5", device="cpu")
    assert done["images"] == 4 and accuracy(data, tmp_path / "p.h5") > 0.85


def test_up_to_date_and_forced(data: Path, trained: Path) -> None:
    masks = trained.with_name("masks.h5")
    options = {"output": trained, "method": "coteaching", "val": data, "val_split": "val", **FAST}
    before = trained.read_bytes()
    assert cotrain(masks, **options)["up_to_date"]
    assert not cotrain(masks, force=True, **options)["up_to_date"]
    assert trained.read_bytes() == before


def test_workers_and_interruption_change_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    masks = mask_file(data, tmp_path / "masks.h5")
    options = {**FAST, "epochs": 3}
    cotrain(masks, output=tmp_path / "a.pth", **options)
    with interrupted(monkeypatch, loop._Run, "end_epoch", 2):
        cotrain(masks, output=tmp_path / "b.pth", **options)
    cotrain(masks, output=tmp_path / "b.pth", **{**options, "workers": 2})
    a, b = load_weights(tmp_path / "a.pth").state_dict, load_weights(tmp_path / "b.pth").state_dict
    assert all(np.array_equal(a[k].numpy(), b[k].numpy()) for k in a)


def test_supervised_twin_is_named_so(data: Path, tmp_path: Path) -> None:
    done = cotrain(data, split="train", output=tmp_path / "twin.pth", **{**FAST, "epochs": 1})
    assert done["supervision"] == "ground-truth masks" and done["images"] == 12


def test_init_takes_the_backbone(data: Path, trained: Path, tmp_path: Path) -> None:
    masks = mask_file(data, tmp_path / "masks.h5")
    cotrain(masks, output=tmp_path / "s.pth", init=trained, **{**FAST, "epochs": 1, "lr": 0.0})
    old, new = load_weights(trained).state_dict, load_weights(tmp_path / "s.pth").state_dict
    key = "backbone.features.0.0.weight"
    assert np.array_equal(old[key].numpy(), new[key].numpy())


def test_two_label_maps_an_image(data: Path, tmp_path: Path) -> None:
    masks = mask_file(data, tmp_path / "m.h5", layers=2)
    cotrain(masks, output=tmp_path / "s.pth", layer_weight=[0.6, 0.4], **{**FAST, "epochs": 1})
    with pytest.raises(UsageError, match="2 times"):
        cotrain(masks, output=tmp_path / "s.pth", layer_weight=[1.0], **FAST)


def test_failed_images_are_left_out_and_counted(data: Path, tmp_path: Path) -> None:
    masks = mask_file(data, tmp_path / "m.h5", fail=3)
    with pytest.raises(SomeFailedError):
        cotrain(masks, output=tmp_path / "s.pth", **{**FAST, "epochs": 1})
    assert load_weights(tmp_path / "s.pth").meta["summary"]["images"] == 11
    assert cotrain(masks, output=tmp_path / "s.pth", max_failed=1, **{**FAST, "epochs": 1})["up_to_date"]


@pytest.mark.parametrize(
    ("own", "error", "said"),
    [
        ({"noise_rate": "much"}, UsageError, "noise-rate"),
        ({"noise_rate": 1.0}, UsageError, "noise-rate"),
        ({"method": "magic"}, UsageError, "plain"),
        ({"settings": ["pool=batch"]}, UsageError, "pool"),
        ({"arch": "unet-tiny"}, UsageError, "HEAD-BACKBONE"),
        ({"split": "train"}, UsageError, "mask file"),
        ({"val_split": "val"}, UsageError, "--val"),
        ({"arch": "deeplabv3-tiny", "batch_size": 1}, UsageError, "batch-size"),
        ({"images": Path("/nowhere")}, MissingInputError, "images"),
        ({"bias_rate": -1.0}, UsageError, "--bias-rate -1"),
        ({"backbone_rate": float("nan")}, UsageError, "--backbone-rate nan"),
        ({"schedule": "step", "fall_epochs": -1}, UsageError, "--fall-epochs -1"),
        ({"arch": "fcn-tiny", "upsampling": "learned"}, UsageError, "not to fcn"),
    ],
)
def test_what_cannot_be_done(
    data: Path, tmp_path: Path, own: dict[str, Any], error: type[Exception], said: str
) -> None:
    masks = mask_file(data, tmp_path / "m.h5")
    with pytest.raises(error, match=said):
        cotrain(masks, output=tmp_path / "s.pth", **{**FAST, **own})
    assert not (tmp_path / "s.pth").exists()


def test_labels_restrict_the_classes(data: Path, trained: Path, tmp_path: Path) -> None:
    predict(data, weights=trained, targets="labels", output=tmp_path / "p.h5", device="cpu")
    with store.open_records(tmp_path / "p.h5") as reader:
        for record in reader.records():
            tagged = set(np.flatnonzero(reader.header.labels[record.index]))
            assert set(np.unique(record.data)) <= tagged | {0}


def test_probabilities_agree_with_the_label_maps(data: Path, trained: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "split": "val",
        "weights": trained,
        "device": "cpu",
        "scale": [1.0, 1.25],
        "flip": True,
    }
    predict(data, output=tmp_path / "m.h5", **options)
    predict(data, output=tmp_path / "p.h5", probabilities=True, dtype="float32", **options)
    labels = store.open_random(tmp_path / "m.h5")
    with store.open_records(tmp_path / "p.h5", kinds=("cam",)) as reader:
        for record in reader.records():
            assert record.class_ids.tolist() == [0, 1, 2]
            rows, columns = record.size
            assert record.data.shape == (3, -(-rows // 4), -(-columns // 4))
            total = record.data.sum(axis=0)
            np.testing.assert_allclose(total, total[0, 0], rtol=1e-4)  # a distribution, scaled
            coarse = np.kron(record.data.argmax(0), np.ones((4, 4), int))[:rows, :columns]
            assert (coarse == labels[record.index].data[0]).mean() > 0.85


def test_ensemble_and_refinement(data: Path, trained: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"split": "val", "weights": trained, "device": "cpu"}
    predict(data, ensemble=True, refine="pamr", settings=["steps=2"], output=tmp_path / "e.h5", **options)
    assert accuracy(data, tmp_path / "e.h5") > 0.85
    cotrain(data, split="train", output=tmp_path / "one.pth", **{**FAST, "epochs": 1})
    with pytest.raises(BadInputError, match="one network"):
        predict(data, weights=tmp_path / "one.pth", ensemble=True, output=tmp_path / "x.h5")


def test_workers_give_the_same_bytes(data: Path, trained: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"weights": trained, "device": "cpu", "probabilities": True}
    predict(data, output=tmp_path / "a.h5", workers=0, **options)
    predict(data, output=tmp_path / "b.h5", workers=2, **options)
    whole = (tmp_path / "a.h5").read_bytes()
    assert (tmp_path / "b.h5").read_bytes() == whole


def test_unreadable_images_fail_alone(data: Path, trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "a.png").write_bytes((data / "images" / "00.png").read_bytes())
    (folder / "b.png").write_bytes((data / "images" / "01.png").read_bytes()[:300])
    with pytest.raises(SomeFailedError):
        predict(tmp_path, weights=trained, output=tmp_path / "p.h5", device="cpu")
    records = store.open_random(tmp_path / "p.h5")
    assert not records[0].failed and records[1].failed


@pytest.mark.parametrize(
    "own",
    [
        {"scale": [0.0]},
        {"settings": ["steps=2"]},
        {"targets": "some"},
        {"refine": "crf", "probabilities": True},
    ],
)
def test_predict_refuses(data: Path, trained: Path, tmp_path: Path, own: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        predict(data, weights=trained, output=tmp_path / "p.h5", **own)


PROBE: dict[str, Any] = {"arch": "linear-tiny", "probe": True, "penalty": 1e-3, "device": "cpu"}


@pytest.fixture(scope="module")
def start(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A segmenter whose backbone the probes start from."""
    path = tmp_path_factory.mktemp("start") / "start.pth"
    cotrain(data, split="train", output=path, **{**FAST, "epochs": 1})
    return path


def test_a_probe_learns_the_toy_set_in_one_go_and_is_reproducible(
    data: Path, start: Path, tmp_path: Path
) -> None:
    masks = mask_file(data, tmp_path / "m.h5")
    first = cotrain(masks, output=tmp_path / "a.pth", init=start, scale=[1.0, 1.5], **PROBE)
    assert first["images"] == 12 and first["pixels_right"] > 0.8
    cotrain(masks, output=tmp_path / "b.pth", init=start, scale=[1.0, 1.5], **PROBE)
    assert (tmp_path / "a.pth").read_bytes() == (tmp_path / "b.pth").read_bytes()
    assert cotrain(masks, output=tmp_path / "a.pth", init=start, scale=[1.0, 1.5], **PROBE)["up_to_date"]
    # step-wise options do not count, those of the probe do
    assert cotrain(masks, output=tmp_path / "a.pth", init=start, scale=[1.0, 1.5], **PROBE, epochs=9)[
        "up_to_date"
    ]
    with pytest.raises(CannotWriteError, match="other options"):
        cotrain(masks, output=tmp_path / "a.pth", init=start, scale=[1.0], **PROBE)
    predict(data, split="val", weights=tmp_path / "b.pth", output=tmp_path / "p.h5", device="cpu")
    with store.open_records(tmp_path / "p.h5", kinds=("mask",), command="test") as reader:
        records = list(reader.records(0))
    right = np.mean([(r.data[0] == true_mask(data, r.name)).mean() for r in records])
    assert right > 0.8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"arch": "fcn-tiny"}, "--arch linear-BACKBONE"),
        ({"init": None}, "--init"),
        ({"penalty": 0.0}, "--penalty"),
        ({"penalty": float("nan")}, "--penalty"),
        ({"scale": [1.0, float("nan")]}, "--scale"),
        ({"scale": [1000.0]}, "--scale"),
        ({"val_split": "val"}, "--val"),
    ],
)
def test_a_probe_says_what_does_not_go_with_it(
    data: Path, start: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        cotrain(data, split="train", output=tmp_path / "x.pth", **{"init": start, **PROBE, **change})
