"""train-cls: learns a toy set, resumes, skips what is useless, says so; does nothing when up to date."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.messages import Heard
from tests.stages.toy import interrupted
from wsstool import store
from wsstool.errors import (
    BadInputError,
    CannotWriteError,
    MissingInputError,
    SomeFailedError,
    UsageError,
)
from wsstool.models.weights import build_from_weights, load_weights
from wsstool.stages.train.train_classifier import train_cls
from wsstool.training.checkpoint import part_path
from wsstool.training.classification_task import ClassificationTask
from wsstool.types import ClassList

FAST = {
    "arch": "tiny",
    "image_size": 32,
    "area": 0.6,
    "epochs": 4,
    "batch_size": 8,
    "lr": 3e-3,
    "workers": 0,
    "device": "cpu",
}
STRIPES = {"red": 0, "green": 1, "blue": 2}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """48 noisy pictures with stripes of one or two colours, their tags, and two splits."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    (folder / "splits").mkdir()
    rows = []
    for i in range(48):
        image = rng.integers(0, 60, (40, 48, 3))
        tags = rng.choice(list(STRIPES), size=1 + i % 2, replace=False)
        for tag in tags:
            image[:, (start := rng.integers(0, 40)) : start + 8, STRIPES[tag]] += 180
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(folder / "images" / f"{i:02}.png")
        rows.append(f"{i:02}.png,{' '.join(tags)}")
    (folder / "labels.csv").write_text("\n".join(["image,labels", *rows]) + "\n")
    (folder / "classes.txt").write_text("0 background\n1 red\n2 green\n3 blue\n")
    (folder / "splits" / "train.txt").write_text("\n".join(f"{i:02}" for i in range(32)) + "\n")
    (folder / "splits" / "val.txt").write_text("\n".join(f"{i:02}" for i in range(32, 48)) + "\n")
    return folder


def test_learns_and_describes_itself(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "cls.pth"
    summary = train_cls(data, output=output, val_split="val", **{**FAST, "epochs": 12, "ema": 0.9})
    assert summary["images"] == 32 and summary["map"] > 0.9
    model, meta = build_from_weights(output)
    assert meta["classes"] == ["background", "red", "green", "blue"]
    assert meta["class_ids"] == [1, 2, 3] and meta["background"] == 0
    assert meta["task"] == "classification" and not meta["single_label"] and meta["output_stride"] == 8
    assert "train-cls" in meta["provenance"][-1]["command"]
    assert not part_path(output).exists() and (tmp_path / "cls.pth.log.jsonl").exists()
    assert model.head.out_channels == 3


def test_up_to_date_until_something_changes(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "cls.pth"
    train_cls(data, output=output, **FAST)
    before = output.read_bytes()
    heard = Heard()
    assert train_cls(data, output=output, **{**FAST, "workers": 2}, messages=heard)["up_to_date"]
    assert "up to date" in heard.text
    assert not train_cls(data, output=output, **FAST, force=True)["up_to_date"]
    assert output.read_bytes() == before
    with pytest.raises(CannotWriteError, match=r"finished weights of other options \(seed 0 -> 1\)"):
        train_cls(data, output=output, **{**FAST, "seed": 1})
    assert output.read_bytes() == before
    train_cls(data, output=output, **{**FAST, "seed": 1}, force=True)
    assert output.read_bytes() != before
    labels = data / "labels.csv"
    labels.write_text(labels.read_text().replace("00.png,", "00.png,red green blue "))
    assert not train_cls(data, output=output, **{**FAST, "seed": 1})["up_to_date"]


def test_damaged_output_is_made_anew(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "cls.pth"
    output.write_bytes(b"somebody's file")
    with pytest.raises(CannotWriteError, match="not a weights file"):
        train_cls(data, output=output, **FAST)
    assert output.read_bytes() == b"somebody's file"
    output.write_bytes(b"PK\x03\x04 half a file")
    assert not train_cls(data, output=output, **FAST)["up_to_date"]
    assert load_weights(output).meta["arch"] == "tiny"


def test_interrupted_run_ends_with_the_same_bytes(data: Path, tmp_path: Path, monkeypatch) -> None:
    whole, stopped = tmp_path / "whole.pth", tmp_path / "stopped.pth"
    train_cls(data, output=whole, val_split="val", **FAST)
    with interrupted(monkeypatch, ClassificationTask, "loss", 10):
        train_cls(data, output=stopped, val_split="val", **FAST)
    assert part_path(stopped).exists() and not stopped.exists()
    heard = Heard()
    train_cls(data, output=stopped, val_split="val", **FAST, messages=heard)
    assert "resuming at epoch 3" in heard.text
    ours, theirs = load_weights(stopped), load_weights(whole)
    assert all((ours.state_dict[k] == v).all() for k, v in theirs.state_dict.items())
    assert ours.meta["key"] == theirs.meta["key"]


def test_unreadable_and_untagged_images_are_left_out(data: Path, tmp_path: Path) -> None:
    (data / "images" / "03.png").write_bytes(b"no picture")
    labels = data / "labels.csv"
    labels.write_text(
        "\n".join(r.split(",")[0] + "," if r[:2] == "05" else r for r in labels.read_text().splitlines())
    )
    heard = Heard()
    with pytest.raises(SomeFailedError, match="1 images failed"):
        train_cls(data, output=tmp_path / "cls.pth", **FAST, messages=heard)
    assert "03.png" in heard.text and "05.png" in heard.text
    summary = train_cls(data, output=tmp_path / "cls.pth", **FAST, max_failed=1)
    assert summary["up_to_date"] and (summary["images"], summary["skipped"], summary["failed"]) == (30, 1, 1)


def test_one_tag_an_image_means_cross_entropy(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folders"
    for name in STRIPES:
        (folder / name).mkdir(parents=True)
        for i in range(4):
            Image.new("RGB", (40, 40), name).save(folder / name / f"{name}{i}.png")
    train_cls(folder, output=tmp_path / "cls.pth", **FAST)
    meta = load_weights(tmp_path / "cls.pth").meta
    assert meta["single_label"] and len(meta["class_ids"]) == 3 and meta["params"]["loss"] == "cross-entropy"


def test_start_weights(data: Path, tmp_path: Path) -> None:
    train_cls(data, output=tmp_path / "a.pth", **FAST)
    train_cls(
        data,
        output=tmp_path / "b.pth",
        **{**FAST, "backbone_rate": 0.0, "epochs": 1},
        init=tmp_path / "a.pth",
    )
    a, b = (load_weights(tmp_path / name).state_dict for name in ("a.pth", "b.pth"))
    assert (a["backbone.features.0.0.weight"] == b["backbone.features.0.0.weight"]).all()
    assert not (a["head.weight"] == b["head.weight"]).all()
    with pytest.raises(BadInputError, match="weights of tiny, not of resnet-18"):
        train_cls(data, output=tmp_path / "c.pth", **{**FAST, "arch": "resnet-18"}, init=tmp_path / "a.pth")
    assert sorted(os.listdir(tmp_path)) == ["a.pth", "a.pth.log.jsonl", "b.pth", "b.pth.log.jsonl", "data"]


def record_file(data: Path, path: Path) -> Path:
    """A mask file of the first eight images with their tags; its image folder is relative to its own."""
    names = [f"{i:02}.png" for i in range(8)]
    header = store.new_header(
        "mask",
        stage="pseudo-mask",
        params={},
        inputs=[],
        images=names,
        sizes=np.full((8, 2), (40, 48)),
        shapes=np.full((8, 3), (1, 40, 48)),
        classes=ClassList(("background", *STRIPES), 0),
        labels=np.eye(4, dtype=np.uint8)[[1, 2, 3, 1, 2, 3, 1, 2]],
        image_root=Path(os.path.relpath(data / "images", path.parent)),
    )
    with store.create(header, path) as writer:
        for _ in names:
            writer.write(np.zeros((1, 40, 48), np.uint8))
    return path


def test_a_record_file_finds_its_images_from_any_folder(data: Path, tmp_path: Path, monkeypatch) -> None:
    records = record_file(data, tmp_path / "masks.h5")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    found = train_cls(Path("../masks.h5"), output=Path("cls.pth"), **{**FAST, "epochs": 1})
    assert found["images"] == 8 and found["failed"] == 0
    (data / "images" / "03.png").unlink()
    with pytest.raises(MissingInputError, match=r"no image '03.png'.*--images"):
        train_cls(records, output=Path("other.pth"), **{**FAST, "epochs": 1})


def test_images_without_tags(tmp_path: Path) -> None:
    folder = tmp_path / "bare"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "a.png")
    with pytest.raises(BadInputError, match="no image-level labels"):
        train_cls(folder, output=tmp_path / "cls.pth", **FAST)


@pytest.mark.parametrize(
    "change",
    [{"arch": "nadir"}, {"pool": "nadir"}, {"loss": "nadir"}, {"normalization": "nadir"}, {"area": 2.0}],
)
def test_wrong_options(data: Path, tmp_path: Path, change: dict) -> None:
    with pytest.raises(UsageError):
        train_cls(data, output=tmp_path / "cls.pth", **{**FAST, **change})


TISSUE = {**FAST, "normalization": "none", "area": 1.0, "color_jitter": 0.0, "optimizer": "sgd", "lr": 0.1}
TISSUE |= {"momentum": 5e-4, "schedule": "poly", "head_bias": False, "dropout": 0.5, "drop_last": True}
TISSUE |= {"freeze": ["features.0"], "freeze_norm": True, "attention": "progressive-dropout"}
"""The options of the recipe for tissue with a small network."""


@pytest.fixture
def patches(tmp_path: Path) -> Path:
    """20 patches with their tags in the name, one of them without any tag."""
    folder = tmp_path / "patches"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(20):
        tags = [int(i % 4 == c or i % 3 == c) for c in range(4)] if i else [0, 0, 0, 0]
        image = rng.integers(0, 60, (32, 32, 3)) + 150 * np.array(tags[:3])
        name = f"{i:02}-[{' '.join(map(str, tags))}].png"
        Image.fromarray(image.astype(np.uint8)).save(folder / name)
    return folder


def test_tissue_options(patches: Path, tmp_path: Path) -> None:
    heard = Heard()
    output = tmp_path / "cls.pth"
    found = train_cls(patches, output=output, **TISSUE, settings=["start_epoch=2"], messages=heard)
    assert (
        found["skipped"] == 1 and "left out: 1 images without labels, such as 00-[0 0 0 0].png" in heard.text
    )
    assert "frozen layers keep their random weights" in heard.text
    log = [json.loads(line) for line in (tmp_path / "cls.pth.log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log] == [2, 4, 6, 8], "19 patches are 2 full batches of 8"
    assert all(0 <= row["train_exact_match"] <= row["train_jaccard"] <= 1 for row in log)
    assert log[2]["lr"] == pytest.approx(0.1 * (1 - 5 / 8) ** 0.9)
    model, meta = build_from_weights(output)
    assert model.head.bias is None and meta["mean"] == [0, 0, 0] and meta["std"] == [1, 1, 1]
    assert meta["params"]["set"][0] == "start_epoch=2" and meta["classes"][:4] == ["TE", "NEC", "LYM", "TAS"]
    assert model.backbone.features[3][1].running_mean.eq(0).all(), "batch norms are frozen"


@pytest.mark.parametrize(
    "change", [{"momentum": 0.9}, {"drop_last": False}, {"freeze": ["none"]}, {"attention": None}]
)
def test_each_tissue_option_counts(patches: Path, tmp_path: Path, change: dict) -> None:
    for name, options in (("a", TISSUE), ("b", {**TISSUE, **change})):
        train_cls(patches, output=tmp_path / f"{name}.pth", **options)
    a, b = (load_weights(tmp_path / f"{name}.pth").state_dict for name in "ab")
    assert not torch.equal(a["head.weight"], b["head.weight"])


def test_attention_goes_on_where_it_was_stopped(patches: Path, tmp_path: Path, monkeypatch) -> None:
    options = {**TISSUE, "epochs": 6}
    train_cls(patches, output=tmp_path / "whole.pth", **options)
    with interrupted(monkeypatch, ClassificationTask, "loss", 10):
        train_cls(patches, output=tmp_path / "stopped.pth", **options)
    heard = Heard()
    train_cls(patches, output=tmp_path / "stopped.pth", **options, messages=heard)
    assert "resuming at epoch 5" in heard.text
    whole, stopped = (load_weights(tmp_path / f"{name}.pth").state_dict for name in ("whole", "stopped"))
    assert all(torch.equal(stopped[key], value) for key, value in whole.items())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"freeze": ["b2"]}, "--freeze: no layer 'b2' in this network; there are: features.*--freeze none"),
        ({"attention": None, "settings": ["floor=0.5"]}, "--set floor=0.5"),
        ({"settings": ["slope=1"]}, "no option 'slope'; it has: start_epoch, factor, floor, divisor"),
        ({"momentum": 1.0}, "--momentum 1: give a number in"),
        ({"settings": ["floor=2"]}, "--set .*floor=2: progressive dropout needs"),
        ({"attention": "nadir"}, "--attention nadir: choose from progressive-dropout"),
    ],
)
def test_wrong_tissue_options(patches: Path, tmp_path: Path, change: dict, says: str) -> None:
    heard = Heard()
    with pytest.raises(UsageError, match=says):
        train_cls(patches, output=tmp_path / "cls.pth", **{**TISSUE, **change}, messages=heard)
    assert "training" not in heard.text and not (tmp_path / "cls.pth.part").exists()


def test_an_output_that_is_no_file_stays_what_it_is(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "pipe"
    os.mkfifo(output)
    with pytest.raises(CannotWriteError, match="it is not a regular file"):
        train_cls(data, output=output, **FAST)
    assert output.is_fifo() and [p.name for p in tmp_path.iterdir() if p.name.startswith("pipe")] == ["pipe"]


def test_images_without_a_tag_as_negatives(data: Path, tmp_path: Path) -> None:
    table = data / "labels.csv"
    rows = table.read_text().splitlines()
    table.write_text("\n".join([rows[0], *(row.split(",")[0] + "," for row in rows[1:9]), *rows[9:]]) + "\n")
    heard = Heard()
    left_out = train_cls(data, output=tmp_path / "a.pth", **FAST, messages=heard)
    assert (left_out["images"], left_out["skipped"]) == (24, 8) and "8 images without labels" in heard.text
    heard = Heard()
    used = train_cls(data, output=tmp_path / "b.pth", **FAST, negatives=True, messages=heard)
    assert (used["images"], used["skipped"]) == (32, 0) and "left out" not in heard.text
    assert used["key"] != left_out["key"]
    with pytest.raises(UsageError, match="--negatives: cross-entropy needs a class in every image"):
        train_cls(data, output=tmp_path / "c.pth", **FAST, negatives=True, loss="cross-entropy")


def test_negatives_of_a_single_label_set_need_the_soft_margin(patches: Path, tmp_path: Path) -> None:
    for row, path in enumerate(sorted(patches.iterdir())):
        tags = [int(row % 5 == c) for c in range(4)]  # every fifth patch has none
        path.rename(patches / f"{path.name[:2]}-[{' '.join(map(str, tags))}].png")
    train_cls(patches, output=tmp_path / "n.pth", **FAST, negatives=True)
    train_cls(patches, output=tmp_path / "s.pth", **FAST)
    assert load_weights(tmp_path / "n.pth").meta["single_label"] is False
    assert load_weights(tmp_path / "s.pth").meta["single_label"] is True
