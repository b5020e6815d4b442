"""Heads and losses of other packages: used by name through the stages, and part of the keys of results."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Literal

import pytest

from tests.stages.toy import QUICK, write_rectangles
from wsstool import family, store
from wsstool.errors import MissingInputError, UsageError
from wsstool.models.segmenter import build_segmenter
from wsstool.models.weights import load_weights
from wsstool.registries.losses import CLASS_LOSSES
from wsstool.registries.segmenters import split_arch
from wsstool.stages.options.trainers import train_cls as train_cls_options
from wsstool.stages.options.trainers.cotrain import CotrainOptions
from wsstool.stages.predict.predict import predict
from wsstool.stages.train.cotrain import cotrain
from wsstool.stages.train.train_classifier import train_cls

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a package ``my_package`` of one file, with an entry point of one group."""

    def installed(source: str, group: str, name: str, attribute: str = "build") -> None:
        site = tmp_path / "site"
        site.mkdir(exist_ok=True)
        (site / "my_package.py").write_text(source)
        point = EntryPoint(name, f"my_package:{attribute}", f"wsstool.{group}")
        monkeypatch.setattr(family, "_installed", lambda: EntryPoints([point]))
        monkeypatch.syspath_prepend(site)
        sys.modules.pop("my_package", None)

    yield installed
    sys.modules.pop("my_package", None)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rectangles(tmp_path_factory.mktemp("rectangles"), 4)


HEAD = """
from torch import nn
from wsstool.models.heads.plain import Segmenter
def build(backbone, n_classes, width):
    return Segmenter(backbone, nn.Conv2d(backbone.out_channels, n_classes, 1 if width is None else width))
"""


class TestHeads:
    def test_through_the_stages(
        self, data: Path, tmp_path: Path, install: Install, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        install(HEAD, "heads", "my-head")
        assert split_arch("my-head-mobilenetv2") == ("my-head", "mobilenet-v2")
        cotrain(data, arch="my-head-tiny", output=tmp_path / "seg.pth", **QUICK | {"epochs": 1})
        meta = load_weights(tmp_path / "seg.pth").meta
        assert meta["arch"] == "my-head-tiny"
        assert meta["params"]["packages"][0].startswith("my_package, wsstool.heads my-head, ")
        predict(data, weights=tmp_path / "seg.pth", output=tmp_path / "masks.h5", workers=0, device="cpu")
        with store.open_records(tmp_path / "masks.h5") as reader:
            assert len(list(reader.records())) == 4
        monkeypatch.setattr(family, "_installed", lambda: EntryPoints([]))
        with pytest.raises(MissingInputError, match="needs the package my_package for the head 'my-head'"):
            predict(data, weights=tmp_path / "seg.pth", output=tmp_path / "again.h5", device="cpu")

    def test_width_is_passed_on(self, install: Install) -> None:
        install(HEAD, "heads", "my-head")
        kernels = [build_segmenter("my-head-tiny", 3, width=w).head.kernel_size for w in (None, 3)]
        assert kernels == [(1, 1), (3, 3)]

    def test_in_keys_only_where_used(self, install: Install, tmp_path: Path) -> None:
        plain = CotrainOptions(source=tmp_path, arch="linear-tiny").key_params()
        install(HEAD, "heads", "my-head")
        assert CotrainOptions(source=tmp_path, arch="linear-tiny").key_params() == plain
        mine = CotrainOptions(source=tmp_path, arch="my-head-timm:vit").key_params()
        assert mine["packages"][0].startswith("my_package, wsstool.heads my-head, ")


class TestLosses:
    def test_of_pixels(self, data: Path, tmp_path: Path, install: Install) -> None:
        """Ten times the cross-entropy: the first loss of the log says that it was used."""
        install("def build(cross_entropy):\n    return 10 * cross_entropy\n", "pixel-losses", "tenfold")
        how = QUICK | {"arch": "linear-tiny", "epochs": 1, "batch_size": 4}
        first = {}
        for loss in ("cross-entropy", "tenfold"):
            output = tmp_path / f"{loss}.pth"
            cotrain(data, settings=[f"loss={loss}"], output=output, **how)
            log = Path(f"{output}.log.jsonl").read_text().splitlines()
            first[loss] = next(line["loss"] for line in map(json.loads, log) if "loss" in line)
        assert first["tenfold"] == pytest.approx(10 * first["cross-entropy"], rel=0.2)
        assert "packages" not in load_weights(tmp_path / "cross-entropy.pth").meta["params"]
        (package,) = load_weights(tmp_path / "tenfold.pth").meta["params"]["packages"]
        assert package.startswith("my_package, wsstool.pixel-losses tenfold, ")
        with pytest.raises(UsageError, match="give cross-entropy, generalised, symmetric or tenfold"):
            cotrain(data, settings=["loss=x"], output=tmp_path / "x.pth", **how)

    def test_of_classes(
        self, data: Path, tmp_path: Path, install: Install, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = (
            "def build(logits, tags, label_smoothing, positive_weight):\n"
            "    assert logits.shape == tags.shape and positive_weight == 2\n"
            "    return ((logits - 7 * tags) ** 2).mean()\n"
        )
        install(source, "class-losses", "squares")
        # the choices of an option are those of the packages that are there when wsstool is imported
        monkeypatch.setattr(train_cls_options, "ClassLoss", Literal[("auto", *CLASS_LOSSES.names())])
        how = {"image_size": 32, "epochs": 12, "workers": 0, "device": "cpu", "lr": 0.01}
        train_cls(data, arch="tiny", loss="squares", positive_weight=2, output=tmp_path / "c.pth", **how)
        meta = load_weights(tmp_path / "c.pth").meta
        (package,) = meta["params"]["packages"]
        assert package.startswith("my_package, wsstool.class-losses squares, ")
        log = [json.loads(line) for line in Path(f"{tmp_path / 'c.pth'}.log.jsonl").read_text().splitlines()]
        losses = [line["loss"] for line in log if "loss" in line]
        assert losses[0] > 10 and losses[-1] < losses[0] / 2, "49 times the share of tags at the start"
