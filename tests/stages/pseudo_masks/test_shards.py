"""Masks do not depend on how a data set is divided: thresholds, empty shards, shards of boxes."""

from pathlib import Path

import numpy as np
import pytest

from tests.messages import Heard
from tests.stages.toy import CLASSES, write_rectangles
from tests.store.records import read
from wsstool import store
from wsstool.errors import BadInputError
from wsstool.models.classifier import NORMALIZATIONS, build_classifier
from wsstool.models.weights import save_weights
from wsstool.stages.objects.propose import propose
from wsstool.stages.pseudo_masks import score_thresholds
from wsstool.stages.pseudo_masks.cam import cam
from wsstool.stages.pseudo_masks.pseudo_mask import pseudo_mask
from wsstool.stages.pseudo_masks.score_thresholds import THRESHOLDS, choose_thresholds, sample_of
from wsstool.stages.streams.merge import merge

SHARDS = 4


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_rectangles(tmp_path_factory.mktemp("toy"), 9)
    mean, std = NORMALIZATIONS["imagenet"]
    meta = {"arch": "tiny", "task": "classification", "classes": list(CLASSES.names), "class_ids": [1, 2]}
    meta |= {"background": 0, "mean": mean, "std": std}
    save_weights(root / "c.pth", build_classifier("tiny", 2).state_dict(), meta)
    return root


def masks_of(data: Path, folder: Path, shard: str | None = None, **options) -> Path:
    name = (shard or "whole").replace("/", "-")
    cam(data, weights=data / "c.pth", shard=shard, output=folder / f"c{name}.h5", workers=0)
    pseudo_mask(folder / f"c{name}.h5", output=folder / f"{name}.h5", background_threshold="auto", **options)
    return folder / f"{name}.h5"


def in_shards(data: Path, folder: Path, n: int = SHARDS, **options) -> list[str]:
    return [str(masks_of(data, folder, f"{i}/{n}", **options)) for i in range(n)]


@pytest.mark.parametrize("normalise", ["auto", "class", "minmax"])
def test_one_threshold_per_data_set(data, tmp_path, normalise):
    whole = masks_of(data, tmp_path, normalise=normalise)
    merge(in_shards(data, tmp_path, normalise=normalise), output=tmp_path / "merged.h5")
    expected, records, _ = read(whole)
    header, merged, _ = read(tmp_path / "merged.h5")
    assert header.attributes == expected.attributes and header.params == expected.params
    for one, other in zip(merged, records, strict=True):
        np.testing.assert_array_equal(one.data, other.data)


def test_merged_class_maps_are_those_of_one_run(data, tmp_path):
    in_shards(data, tmp_path)
    masks_of(data, tmp_path)
    merge([str(tmp_path / f"c{i}-{SHARDS}.h5") for i in range(SHARDS)], output=tmp_path / "merged.h5")
    with store.open_records(tmp_path / "merged.h5") as a, store.open_records(tmp_path / "cwhole.h5") as b:
        assert a.header.attributes == b.header.attributes


def test_a_sample_chooses_the_threshold_of_a_large_set(data, tmp_path, monkeypatch):
    monkeypatch.setattr(score_thresholds, "SAMPLE", 3)
    monkeypatch.setattr("wsstool.stages.pseudo_masks.masks_of_class_maps.SAMPLE", 3)
    whole = read(masks_of(data, tmp_path))[0]
    parts = [read(path)[0] for path in in_shards(data, tmp_path)]
    assert {tuple(one.attributes["background_threshold"]) for one in (whole, *parts)} == {
        tuple(whole.attributes["background_threshold"])
    }
    assert all(one.params["threshold_images"] == 3 for one in (whole, *parts))
    assert "threshold" in whole.provenance[-1]["command"]
    assert "threshold-images" not in whole.provenance[-1]["command"]  # no option of the command


def test_the_sample_changes_little_with_the_set(monkeypatch):
    monkeypatch.setattr(score_thresholds, "SAMPLE", 20)
    names = [f"{i:04}.jpg" for i in range(200)]
    before = {names[i] for i in sample_of(names)}
    more = sorted([*names, "0100b.jpg"])
    after = {more[i] for i in sample_of(more)}
    assert len(before) == 20 and len(before - after) <= 1


def test_thresholds_per_layer_and_normalisation():
    rng = np.random.default_rng(0)
    images = [[rng.random((2, 5, 5)), 0.1 * rng.random((2, 3, 3)), np.zeros((2, 3, 3))] for _ in range(4)]
    found = choose_thresholds(images, 3)
    assert found["joint"][2] is None and found["none"][1] < 0.1 < found["none"][0]
    assert found["joint"] == choose_thresholds(images, 3, ("joint",))["joint"]


def test_an_up_to_date_shard_computes_nothing(data, tmp_path, monkeypatch):
    masks_of(data, tmp_path, "0/2")
    before = (tmp_path / "c0-2.h5").read_bytes()
    monkeypatch.setattr(score_thresholds, "choose_thresholds", None)
    masks_of(data, tmp_path, "0/2")
    assert (tmp_path / "c0-2.h5").read_bytes() == before


def test_a_shard_of_an_earlier_version_warns(data, tmp_path, monkeypatch):
    monkeypatch.setattr("wsstool.stages.pseudo_masks.cam.with_thresholds", lambda header, *_: header)
    heard = Heard()
    masks_of(data, tmp_path, "0/2", messages=heard)
    assert any("shard 0/2" in text and "wsstool cam" in text for text in heard.warned)


@pytest.mark.parametrize("wrong", [{"images": 9}, {"images": 9, "joint": [2.0]}, {"images": 9, "joint": 3}])
def test_damaged_thresholds(data, tmp_path, monkeypatch, wrong):
    from dataclasses import replace

    monkeypatch.setattr(
        "wsstool.stages.pseudo_masks.cam.with_thresholds",
        lambda header, *_: replace(header, attributes={**header.attributes, THRESHOLDS: wrong}),
    )
    with pytest.raises(BadInputError, match="background_thresholds"):
        masks_of(data, tmp_path, "0/2")


def test_shards_without_images(data, tmp_path):
    """More shards than images: each gives a file, and every later stage goes on."""
    whole = masks_of(data, tmp_path)
    merge(in_shards(data, tmp_path, 24), output=tmp_path / "merged.h5")
    sizes = [len(read(tmp_path / f"{i}-24.h5")[0]) for i in range(24)]
    assert 0 in sizes and sum(sizes) == 9
    expected, merged = read(whole)[1], read(tmp_path / "merged.h5")[1]
    for one, other in zip(merged, expected, strict=True):
        np.testing.assert_array_equal(one.data, other.data)


def test_proposals_of_a_shard_without_images(data, tmp_path):
    paths = [str(tmp_path / f"p{i}.h5") for i in range(24)]
    for i, path in enumerate(paths):
        propose(data, shard=f"{i}/24", output=path, workers=0)
    assert merge(paths, output=tmp_path / "all.h5")["images"] == 9
