"""The published networks for the tests: weights that follow from the names, and what they gave."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from torch import Tensor

PUBLISHED = {
    "fan-tiny": "stl_fan_tiny_8_p4_hybrid_token",
    "fan-small": "stl_fan_small_12_p4_hybrid_token",
    "fan-base": "stl_fan_base_16_p4_hybrid_token",
    "fan-large": "stl_fan_large_16_p4_hybrid_token",
}


def key_list(shared: Path, arch: str) -> dict:
    """Names, shapes and types of a published file, and how many numbers it holds."""
    return json.loads((shared / f"fixtures/parity/{PUBLISHED[arch]}.keys.json").read_text())


def zeros(shared: Path, arch: str) -> dict[str, Tensor]:
    """A published file of zeros, each entry a single one seen at full size, which is how it is stored."""
    return {
        key: torch.zeros(1, dtype=getattr(torch, dtype)).expand(shape) if shape else torch.tensor(0)
        for key, shape, dtype in key_list(shared, arch)["keys"]
    }


def fixture_state(shared: Path, arch: str = "fan-tiny") -> dict[str, Tensor]:
    """The weights that the parity fixtures were computed with: a function of the names alone."""
    folder = shared / "fixtures" / "parity"
    sys.path.insert(0, str(folder))
    try:
        from weights_rule import make_state
    finally:
        sys.path.remove(str(folder))
    return {key: torch.from_numpy(value) for key, value in make_state(key_list(shared, arch)["keys"]).items()}
