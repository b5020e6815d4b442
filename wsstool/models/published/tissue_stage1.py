"""The published weights of stage 1 of WSSS-Tissue, and the ImageNet weights from which its training starts.

A published file is the bare state dict of ResNet-38d with its head ``fc8``; ours has the same layers under
``backbone.`` and calls the head ``head``. The start weights are an MXNet file with its own names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wsstool.models.backbones import plain_shapes
from wsstool.models.fitting import check_fit
from wsstool.models.published.checkpoints import without_names

ARCH = "resnet38d"
HEAD = "fc8.weight"
FEWEST = 5
"""Number of distinctive names by which a part of such a network is recognised."""

_BATCH_NORM = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "var": "running_var"}
_BLOCK = re.compile(r"(res|bn)(\d)(a|b(\d+))_(branch\w+?)_(\w+)")


def is_published(state_dict: Mapping[str, Tensor]) -> bool:
    """Whether a state dict looks like a stage-1 network: it has most of its names, or few others."""
    wanted = plain_shapes(ARCH)
    found = sum(key in state_dict for key in wanted)
    return 2 * found > len(wanted) or (found >= FEWEST and 2 * found > len(state_dict))


def title(state_dict: Mapping[str, Tensor], source: Path | str) -> str:
    """Return a short description of a published file.

    Raises:
        BadInputError: entries are missing, too many, or of another shape.
    """
    n = len(state_dict[HEAD]) if HEAD in state_dict else 1
    check_fit({**plain_shapes(ARCH), HEAD: (n, 4096, 1, 1)}, state_dict, f"{source} (WSSS-Tissue stage 1)")
    return f"WSSS-Tissue stage 1: ResNet-38d, {n} classes"


def renamed(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the published entries as in our classifier, in order."""
    own = {HEAD: "head.weight"}
    return {own.get(key, f"backbone.{key}"): value for key, value in state_dict.items()}


def published_names(state_dict: Mapping[str, Any]) -> dict[str, Any]:
    """Rename our entries as in the published program.

    Example:
        >>> published_names({"backbone.bn7.weight": 1, "head.weight": 2})
        {'bn7.weight': 1, 'fc8.weight': 2}
    """
    return {HEAD if k == "head.weight" else k.removeprefix("backbone."): v for k, v in state_dict.items()}


def describe(state_dict: Mapping[str, Tensor], source: Path | str) -> dict[str, Any]:
    """Return the metadata that a published file lacks. Images are in [0, 1], not normalised.

    Returns:
        ``meta`` as ``train-cls`` writes it; the classes have no names yet (``named`` is False).

    Raises:
        BadInputError: see ``title``.
    """
    what, n = title(state_dict, source), len(state_dict[HEAD])
    return {
        "what": what,
        "arch": ARCH,
        "task": "classification",
        **without_names(n),
        "output_stride": 8,
        "pool": "average",
        "dropout": 0.5,
        "head_bias": False,
        "single_label": False,
        "image_size": 224,
    }


def from_mxnet(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """Convert the arrays of the MXNet file to the backbone's state dict, without the ImageNet head.

    ``arg:res4b1_branch2a_weight`` is ``b4_1.conv_branch2a.weight``, ``aux:bn3a_branch2b1_moving_var`` is
    ``b3.bn_branch2b1.running_var``.
    """
    state = {}
    for name, array in arrays.items():
        if (key := torch_name(name)) is not None:
            state[key] = torch.from_numpy(np.asarray(array, np.float32))
    return state


def torch_name(name: str) -> str | None:
    """Return the published name of an MXNet array, or None if the backbone lacks it.

    Example:
        >>> torch_name("arg:res5b2_branch2b1_weight"), torch_name("aux:bn7_moving_mean")
        ('b5_2.conv_branch2b1.weight', 'bn7.running_mean')
    """
    bare = name.partition(":")[2] or name
    last = bare.rpartition("_")[2]
    if bare.startswith("conv1a"):
        return "conv1a.weight"
    if bare.startswith("bn7_"):
        return f"bn7.{_BATCH_NORM[last]}" if last in _BATCH_NORM else None
    match = _BLOCK.fullmatch(bare)
    if match is None:
        return None
    kind, number, _, more, branch, _ = match.groups()
    block = f"b{number}_{more}" if more else f"b{number}"
    if kind == "res":
        return f"{block}.conv_{branch}.weight"
    return f"{block}.bn_{branch}.{_BATCH_NORM[last]}" if last in _BATCH_NORM else None
