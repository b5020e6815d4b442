"""Names of timm's networks: any case, what was probably meant; a library that prints while it is imported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from wsstool.errors import UsageError
from wsstool.models.backbones import build_backbone
from wsstool.models.backbones.timm_names import imported_timm, nearest_names

NAMES = [
    "deit_small_patch16_224",
    "resnet50",
    "resnet50d",
    "resnet101",
    "test_vit",
    "vit_base_patch14_dinov2",
    "vit_base_patch16_224",
    "vit_small_patch14_dinov2",
    "vit_small_patch16_224",
]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ViT_Small_Patch16_224", ["vit_small_patch16_224"]),
        ("vit-small-patch14-dinov2", ["vit_small_patch14_dinov2"]),
        ("ResNet-50", ["resnet50", "resnet50d"]),
        ("dinov2", ["vit_base_patch14_dinov2", "vit_small_patch14_dinov2"]),
        ("vit_b_16", ["vit_base_patch16_224"]),
        ("DeiT-S", ["deit_small_patch16_224"]),
        ("rsnet101", ["resnet101"]),
        ("xyzzy", []),
        ("", []),
        ("---", []),
    ],
)
def test_nearest_names(typed: str, meant: list[str]) -> None:
    assert nearest_names(typed, NAMES)[: max(1, len(meant))] == meant


def test_no_more_than_asked_for() -> None:
    assert nearest_names("vit", NAMES, 2) == ["vit_base_patch16_224", "vit_small_patch16_224"]


class TestWithTimm:
    @pytest.fixture(autouse=True)
    def needs_timm(self) -> None:
        pytest.importorskip("timm")

    def test_any_case(self) -> None:
        backbone = build_backbone("timm:Test_ViT")
        assert type(backbone.network).__name__ == "VisionTransformer"

    def test_nothing_near(self) -> None:
        with pytest.raises(UsageError, match=r"no network 'Xyzzy'; timm\.list_models\(\) in Python lists"):
            build_backbone("timm:Xyzzy")

    def test_tags_do_not_hide_the_name(self) -> None:
        with pytest.raises(UsageError, match=r"'resnet-50\.a1_in1k'; the nearest are: resnet50, "):
            build_backbone("timm:resnet-50.a1_in1k")


def stand_in(folder: Path, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put another package of this name in the place of timm."""
    (folder / "timm.py").write_text(source)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setitem(sys.modules, "timm", None)
    monkeypatch.delitem(sys.modules, "timm")


def test_what_is_printed_at_import_stays_out_of_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    source = "import sys\nprint('Error importing hub: x')\nprint('also', file=sys.stderr)\nX = 1\n"
    stand_in(tmp_path, source, monkeypatch)
    assert imported_timm().X == 1
    assert capfd.readouterr() == ("", "")


def test_a_broken_timm_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, "import a_package_that_is_not_here\n", monkeypatch)
    with pytest.raises(UsageError, match=r"installed, but cannot be imported \(ModuleNotFoundError: "):
        imported_timm()
