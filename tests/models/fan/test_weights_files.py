"""Weights files of classifiers with a token head: the head is built if the file has one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from wsstool.errors import BadInputError
from wsstool.models.classifier import build_classifier
from wsstool.models.recognise import describe_weights
from wsstool.models.weights import build_from_weights, load_weights, save_weights

META = {"arch": "fan-micro", "task": "classification", "class_ids": [0, 2]}


def written(path: Path, meta: dict[str, Any], *, token_head: bool) -> Path:
    torch.manual_seed(0)
    save_weights(path, build_classifier("fan-micro", 2, token_head=token_head).state_dict(), meta)
    return path


@pytest.mark.parametrize("stated", [{"token_head": True}, {}])
def test_the_head_is_built(tmp_path: Path, stated: dict[str, bool]) -> None:
    path = written(tmp_path / "x.pth", META | stated, token_head=True)
    model, meta = build_from_weights(path)
    assert meta["token_head"] is True
    assert torch.equal(model.head.aux_head.weight, load_weights(path).state_dict["head.aux_head.weight"])
    assert describe_weights(path)["fits"] == ["fan-micro"]


def test_without_a_head_none_is_built(tmp_path: Path) -> None:
    model, meta = build_from_weights(written(tmp_path / "x.pth", META, token_head=False))
    assert model.head.aux_head is None and "token_head" not in meta


def test_metadata_that_contradict_the_file(tmp_path: Path) -> None:
    lacks = written(tmp_path / "lacks.pth", META | {"token_head": True}, token_head=False)
    with pytest.raises(BadInputError, match=r"missing: head\.aux_head\.weight"):
        build_from_weights(lacks)
    has = written(tmp_path / "has.pth", META | {"token_head": False}, token_head=True)
    with pytest.raises(BadInputError, match=r"not in the network: head\.aux_head\.weight"):
        build_from_weights(has)
