"""Backbones of timm and those with input statistics of their own, through the stages that take a backbone."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest
import torch

from tests.messages import Heard
from tests.stages.toy import QUICK, write_rectangles
from wsstool import family, store
from wsstool.models.backbones import Backbone, build_backbone
from wsstool.models.recognise import describe_weights
from wsstool.models.weights import load_weights, save_weights
from wsstool.stages.networks.contour_network import open_contour_mapper
from wsstool.stages.objects.propose import propose
from wsstool.stages.options.pseudo_mask import ClassMapOptions
from wsstool.stages.options.trainers.train_cls import TrainClsOptions
from wsstool.stages.predict.predict import predict
from wsstool.stages.pseudo_masks.cam import cam
from wsstool.stages.pseudo_masks.guides import open_guides
from wsstool.stages.train.cotrain import cotrain
from wsstool.stages.train.train_classifier import train_cls
from wsstool.stages.train.train_contour import train_contour
from wsstool.types import ClassList

from .test_contour import draw

pytest.importorskip("timm")

VIT = "timm:test_vit"
ONCE = {"image_size": 32, "epochs": 1, "batch_size": 4, "workers": 0, "device": "cpu"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rectangles(tmp_path_factory.mktemp("backbones"), 4)


@pytest.fixture(scope="module")
def init(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bare weights of the network in timm's names, in half precision."""
    torch.manual_seed(0)
    state = build_backbone(VIT).network.state_dict()
    path = tmp_path_factory.mktemp("init") / "vit.pth"
    torch.save({name: value.half() for name, value in state.items()}, path)
    return path


def test_classifier_and_class_maps_of_a_block(data: Path, init: Path, tmp_path: Path) -> None:
    heard = Heard()
    train_cls(data, arch=VIT, init=init, output=tmp_path / "cls.pth", **ONCE, messages=heard)
    assert sum("pads images" in line for line in heard.lines) == 1
    assert sum("interpolates its 10 x 10 positions" in line for line in heard.lines) == 1
    meta = load_weights(tmp_path / "cls.pth").meta
    assert meta["mean"] == meta["std"] == [0.5, 0.5, 0.5] and meta["output_stride"] == 16
    assert describe_weights(tmp_path / "cls.pth")["arch"] == VIT
    how = {"weights": tmp_path / "cls.pth", "workers": 0, "device": "cpu"}
    cam(data, method="gradcam", layer=["blocks.2", "output_map"], output=tmp_path / "cams.h5", **how)
    with store.open_records(tmp_path / "cams.h5") as reader:
        assert reader.header.attributes["layers"] == ["blocks.2", "output_map"]
        sizes = {(r.name, *r.maps[0].shape[1:]) for r in reader.records()}
    assert ("images/00.png", 3, 4) in sizes, "33 x 50 pixels in patches of 16"
    cam(data, scale=[1.0, 1.5], flip=True, output=tmp_path / "scales.h5", **how)


def test_probe_passes_over_each_image_once_per_scale(
    data: Path, init: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    own = Backbone.with_fine

    def counted(backbone: Backbone, x: torch.Tensor, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        sizes.append(tuple(x.shape[2:]))
        return own(backbone, x, name)

    monkeypatch.setattr(Backbone, "with_fine", counted)
    heard, output = Heard(), tmp_path / "seg.pth"
    how = {"arch": f"linear-{VIT}", "probe": True, "init": init, "scale": [1.0, 0.5]}
    cotrain(data, output=output, messages=heard, **how)
    assert len(sizes) == 8 and sizes.count((33, 50)) == 2, "4 images at 2 scales"
    assert sum("pads images" in line for line in heard.lines) == 1
    predict(data, weights=output, workers=0, device="cpu", output=tmp_path / "masks.h5")
    with store.open_records(tmp_path / "masks.h5") as reader:
        assert {r.data.shape for r in reader.records()} == {(1, 33, 50), (1, 40, 36)}


def test_segmenter_trained_by_steps(data: Path, init: Path, tmp_path: Path) -> None:
    how = {**QUICK, "epochs": 1, "batch_size": 2, "width": 8}
    cotrain(data, arch=f"segformer-{VIT}", init=init, output=tmp_path / "seg.pth", **how)
    assert load_weights(tmp_path / "seg.pth").meta["arch"] == "segformer-timm:test_vit"


def test_contours(tmp_path: Path) -> None:
    boxes = draw(tmp_path / "boxes", 2)
    quick = {"width": 8, "crop_size": 32, "epochs": 1, "workers": 0, "batch_size": 4, "device": "cpu"}
    train_contour(boxes, arch=VIT, output=tmp_path / "c.pth", **quick)
    loaded = load_weights(tmp_path / "c.pth")
    assert loaded.meta["mean"] == [0.5, 0.5, 0.5]
    classes = ClassList(tuple(loaded.meta["classes"]))
    mapper = open_contour_mapper(tmp_path / "c.pth", loaded, torch.device("cpu"), classes)
    assert mapper.network.backbone.arch == VIT


def test_features_of_patches(data: Path, init: Path, tmp_path: Path) -> None:
    """``propose`` and the refiners that read features say what happens to the sides of images, too."""
    how = {"arch": VIT, "init": init, "device": "cpu", "workers": 0}
    heard = Heard()
    propose(data, method="ncut", output=tmp_path / "p.h5", messages=heard, **how)
    assert sum("pads images at the right and bottom" in line for line in heard.lines) == 1
    options = ClassMapOptions(source=tmp_path / "c.h5", refine=["affinity"], arch=VIT, init=init)
    with store.open_records(tmp_path / "p.h5") as reader:
        heard = Heard()
        open_guides(reader.header, options, heard)
    assert sum("pads images at the right and bottom" in line for line in heard.lines) == 1


@pytest.mark.parametrize(
    ("named", "mean"),
    [({}, 127 / 255), ({"normalization": "imagenet"}, 0.485), ({"normalization": "none"}, 0.0)],
)
def test_statistics_of_the_backbone_unless_others_are_named(
    named: dict[str, str], mean: float, data: Path, tmp_path: Path
) -> None:
    train_cls(data, arch="efficientnet-lite0", output=tmp_path / "cls.pth", **ONCE, **named)
    assert load_weights(tmp_path / "cls.pth").meta["mean"][0] == pytest.approx(mean)


def test_runs_on_other_backbones_keep_their_keys(data: Path, tmp_path: Path) -> None:
    train_cls(data, arch="tiny", output=tmp_path / "a.pth", **ONCE)
    train_cls(data, arch="tiny", normalization="imagenet", output=tmp_path / "b.pth", **ONCE)
    metas = [load_weights(tmp_path / name).meta for name in ("a.pth", "b.pth")]
    assert metas[0]["key"] == metas[1]["key"] and metas[0]["params"]["normalization"] == "imagenet"


def test_initial_weights_with_a_description_decide(data: Path, tmp_path: Path) -> None:
    """A file of ours brings its own statistics, which ``cotrain`` prefers to those of the backbone."""
    torch.manual_seed(0)
    state = {f"backbone.{k}": v for k, v in build_backbone(VIT).state_dict().items()}
    described = {"arch": VIT, "mean": [0.1, 0.2, 0.3], "std": [1.0, 1.0, 1.0]}
    save_weights(tmp_path / "cls.pth", state, described)
    cotrain(data, arch=f"linear-{VIT}", probe=True, init=tmp_path / "cls.pth", output=tmp_path / "seg.pth")
    assert load_weights(tmp_path / "seg.pth").meta["mean"] == [0.1, 0.2, 0.3]


def test_backbone_of_another_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is built by its name, and its source is part of the key."""
    (tmp_path / "my_backbone.py").write_text(
        "from wsstool.models.backbones import build_backbone\n"
        "def build(arch):\n"
        "    return build_backbone('tiny')\n"
    )
    point = EntryPoint("my-net", "my_backbone:build", "wsstool.backbones")
    monkeypatch.setattr(family, "_installed", lambda: EntryPoints([point]))
    monkeypatch.syspath_prepend(tmp_path)
    try:
        backbone = build_backbone("my-net")
        assert (backbone.arch, backbone.stride) == ("my-net", 8)
        key = TrainClsOptions(data=tmp_path, arch="my-net").key_params()
        assert key["packages"][0].startswith("my_backbone, wsstool.backbones my-net, ")
        assert "packages" not in TrainClsOptions(data=tmp_path, arch="tiny").key_params()
    finally:
        sys.modules.pop("my_backbone", None)
