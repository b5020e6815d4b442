"""Heads and losses of other packages: used by name through the stages, and part of the keys of results."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from tests.stages.toy import QUICK, write_rectangles
from wsstool import family, store
from wsstool.errors import UsageError
from wsstool.models.segmenter import build_segmenter, split_arch
from wsstool.models.weights import load_weights
from wsstool.stages.options.trainers.cotrain import CotrainOptions
from wsstool.stages.predict.predict import predict
from wsstool.stages.train.cotrain import cotrain

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
        with pytest.raises(UsageError, match="no segmenter 'my-head-tiny'"):
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
