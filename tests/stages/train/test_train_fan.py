"""train-cls with a network of tokens, and Grad-CAM of what it has learned."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.messages import Heard
from tests.stages.toy import write_rectangles
from wsstool import store
from wsstool.errors import BadInputError, UsageError
from wsstool.models.fan_classifier import FanClassifier
from wsstool.models.initial_weights import load_start
from wsstool.models.recognise import describe_weights
from wsstool.models.weights import build_from_weights
from wsstool.stages.networks.classifier import load_classifier
from wsstool.stages.pseudo_masks.cam import cam
from wsstool.stages.train.train_classifier import train_cls
from wsstool.training.classification_task import ClassificationTask
from wsstool.types import ClassList

FAST = {"arch": "fan-micro", "image_size": 32, "epochs": 1, "batch_size": 4, "workers": 0, "device": "cpu"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return write_rectangles(tmp_path / "data", 8)


def test_trains_and_is_seen_through(data: Path, tmp_path: Path) -> None:
    weights = tmp_path / "cls.pth"
    assert train_cls(data, output=weights, optimizer="adamw", lr=1e-3, **FAST)["images"] == 8
    described = describe_weights(weights)
    assert described["arch"] == "fan-micro" and described["meta"]["output_stride"] == 16
    heard = Heard()
    cam(
        data=data,
        weights=weights,
        output=tmp_path / "cams.h5",
        method="gradcam",
        layer=["blocks.1", "blocks.3"],
        device="cpu",
        messages=heard,
    )
    assert "fan-micro pads 8 of 8 images" in heard.text
    with store.open_records(tmp_path / "cams.h5", kinds=("cam",)) as reader:
        shapes = {tuple(layer.shape[1:]) for record in reader.records() for layer in record.maps}
    assert shapes == {(3, 3), (3, 4)}  # of 40 x 36 and 33 x 50 pixels
    with pytest.raises(UsageError, match="use gradcam for other"):
        cam(data=data, weights=weights, output=tmp_path / "x.h5", method="cam", device="cpu")


def test_starts_with_the_class_attention_of_another_set(data: Path, tmp_path: Path) -> None:
    first = tmp_path / "first.pth"
    train_cls(data, output=first, **FAST)
    (data / "classes.txt").write_text("0 ground\n1 cat\n2 dog\n3 bird\n")
    train_cls(data, output=tmp_path / "second.pth", init=first, **{**FAST, "lr": 0.0, "freeze_norm": True})
    (old, _), (new, meta) = (build_from_weights(tmp_path / f"{name}.pth") for name in ("first", "second"))
    assert len(meta["class_ids"]) == 4 and isinstance(old, FanClassifier) and isinstance(new, FanClassifier)
    after = new.state_dict()
    assert after["head.head.weight"].shape[0] == 4
    for name, value in old.state_dict().items():
        assert name.startswith("head.head.") or torch.equal(value, after[name]), name
    other = build_from_weights(first)[0]
    del other.head.cls_attn_blocks[0].gamma1
    torch.save(other.state_dict(), tmp_path / "broken.pth")
    with pytest.raises(BadInputError, match=r"missing: cls_attn_blocks\.0\.gamma1"):
        load_start(new, tmp_path / "broken.pth")


def test_the_class_token_is_not_decayed(data: Path, tmp_path: Path) -> None:
    train_cls(data, output=tmp_path / "cls.pth", **FAST)
    model, meta = build_from_weights(tmp_path / "cls.pth")
    groups = ClassificationTask(model, mean=meta["mean"], std=meta["std"]).parameter_groups()
    free = {id(p) for group in groups if group.get("weight_decay") == 0 for p in group["params"]}
    names = {name for name, p in model.named_parameters() if id(p) not in free}
    assert "head.cls_token" not in names and "backbone.blocks.0.mlp.temperature" in names
    assert not any(name.endswith(("bias", "gamma1")) or ".norm" in name for name in names)
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))


def test_the_token_head_survives(data: Path, tmp_path: Path) -> None:
    weights = tmp_path / "labeler.pth"
    train_cls(data, output=weights, token_head=True, score="combined", token_gradient=False, **FAST)
    model, meta = load_classifier(weights, ClassList(()))
    assert meta["token_head"] and meta["score"] == "combined"
    class_logits, maps = model.with_token_maps(torch.zeros(1, 3, 32, 48))
    assert class_logits.shape == (1, 3) and maps.shape == (1, 3, 2, 3)
    assert "--token-head --no-token-gradient --score combined" in meta["provenance"][-1]["command"]
    train_cls(data, output=tmp_path / "plain.pth", **FAST)
    plain = load_classifier(tmp_path / "plain.pth", ClassList(()))[1]
    assert not {"token_head", "score"} & {*plain, *plain["params"]}


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ({"image_size": 31}, "--image-size 31: fan-micro needs at least 32 pixels"),
        ({"attention": "progressive-dropout"}, "--attention needs a linear head"),
        ({"pool": "max"}, "--pool max: fan-micro uses a class token"),
        ({"output_stride": 8}, "possible is 16"),
        ({"arch": "tiny", "token_head": True}, "tiny has no tokens, so it cannot have a token head"),
    ],
)
def test_what_it_cannot_do(data: Path, tmp_path: Path, option: dict, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        train_cls(data, output=tmp_path / "cls.pth", **{**FAST, **option})
    assert not (tmp_path / "cls.pth").exists()
