"""Weights in files of the format safetensors."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from wsstool.errors import BadInputError, UsageError
from wsstool.models.backbones import build_backbone
from wsstool.models.initial_weights import load_backbone
from wsstool.models.published.safetensors_file import is_safetensors
from wsstool.models.weights import load_weights
from wsstool.stages.streams.info import info

save_file = pytest.importorskip("safetensors.torch").save_file

TENSORS = {
    "a.weight": torch.arange(6.0).reshape(2, 3),
    "half": torch.ones(4, dtype=torch.bfloat16),
    "count": torch.tensor(7),
    "empty": torch.empty(0, 3),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_file(TENSORS, tmp_path / "a.safetensors", metadata={"format": "pt"})
    return tmp_path / "a.safetensors"


@pytest.mark.parametrize("name", ["a.safetensors", "model.bin"])
def test_read_by_content_whatever_the_name(path: Path, name: str) -> None:
    found = load_weights(path.rename(path.with_name(name)))
    assert found.meta == {} and found.state_dict.keys() == TENSORS.keys()
    for key, value in TENSORS.items():
        torch.testing.assert_close(found.state_dict[key], value)


def test_written_by_hand(tmp_path: Path) -> None:
    """The format in full: length of the header, header, values."""
    header = json.dumps({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    values = b"\x00\x00\x80\x3f\x00\x00\x00\xc0"  # 1, -2
    (tmp_path / "x.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + values)
    assert load_weights(tmp_path / "x.safetensors").state_dict["x"].tolist() == [1, -2]


@pytest.mark.parametrize("keep", [1, 9, 30, -1])
def test_truncated(path: Path, keep: int) -> None:
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BadInputError, match="is truncated, damaged or not a weights file"):
        load_weights(path)


def test_other_files(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(1)}, tmp_path / "a.pth")
    assert not is_safetensors(tmp_path / "a.pth")
    assert not is_safetensors(tmp_path) and not is_safetensors(tmp_path / "none")


def test_without_the_package(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "wsstool.models.published.safetensors_file.find_spec",
        lambda name: None if name == "safetensors" else find_spec(name),
    )
    with pytest.raises(UsageError, match="needs safetensors, which is not installed: pip install safet"):
        load_weights(path)


def test_info_and_initial_weights(tmp_path: Path) -> None:
    there, file = build_backbone("tiny"), tmp_path / "tiny.safetensors"
    save_file(there.state_dict(), file)
    assert info(file)["fits"] == ["tiny"]
    here = build_backbone("tiny")
    load_backbone(here, load_weights(file), file)
    for key, value in there.state_dict().items():
        assert torch.equal(here.state_dict()[key], value)
