"""Published stage-1 files for the tests: of the right names and shapes, and small on the disk."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from torch import Tensor

from wsstool.models.backbones import plain_shapes


def published_state(n_classes: int = 4) -> dict[str, Tensor]:
    """All 229 entries, each a single zero seen at full size, which is how it is stored."""
    shapes = {**plain_shapes("resnet38d"), "fc8.weight": (n_classes, 4096, 1, 1)}
    counter = torch.zeros((), dtype=torch.int64)
    return {
        key: counter if key.endswith("num_batches_tracked") else torch.zeros(1).expand(shape)
        for key, shape in shapes.items()
    }


def fixture_state(shared: Path) -> dict[str, Tensor]:
    """The weights that the parity fixtures were computed with: a function of the names alone."""
    folder = shared / "fixtures" / "parity"
    sys.path.insert(0, str(folder))
    try:
        from weights_rule import make_state
    finally:
        sys.path.remove(str(folder))
    keys = json.loads((folder / "wsss_net_cam.keys.json").read_text())["keys"]
    return {key: torch.from_numpy(value) for key, value in make_state(keys).items()}


def mxnet_name(key: str) -> str:
    """What the MXNet start weights call an entry of the backbone: the table of the converter turned round."""
    endings = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_var"}
    block, *layer, leaf = key.split(".")
    side = "aux" if leaf.startswith("running") else "arg"
    if key == "conv1a.weight":
        return "arg:conv1a_weight"
    if block == "bn7":
        return f"{side}:bn7_{endings[leaf]}"
    number, _, more = block[1:].partition("_")
    place = f"{number}b{more}" if more else f"{number}a"
    kind, _, branch = layer[0].partition("_")
    return (
        f"arg:res{place}_{branch}_weight" if kind == "conv" else f"{side}:bn{place}_{branch}_{endings[leaf]}"
    )
