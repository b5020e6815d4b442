"""The published weights of stage 2 of WSSS-Tissue, and its start weights: DeepLabv3+ on ResNet-101.

The names in these files are those of ``DeepLabV3Plus``, so they load unchanged; only the metadata is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from wsstool.models.heads.deeplabv3plus import LAST_LAYER
from wsstool.models.published.checkpoints import without_names

ARCH = "deeplabv3plus-resnet-101"


def is_published(state_dict: Mapping[str, Tensor]) -> bool:
    """Whether a state dict looks like such a network: a DeepLabv3+ with the layers of a ResNet."""
    parts = {name.partition(".")[0] for name in state_dict}
    on_resnet = any(name.startswith("backbone.layer3.") for name in state_dict)
    return {"aspp", "decoder"} <= parts and on_resnet


def describe(state_dict: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the metadata that a published file lacks; {} for others. Images are in [0, 1], not normalised.

    Returns:
        ``meta`` as ``cotrain`` writes it, and ``what`` the file is, in words; the classes have no names yet
        (``named`` is False).

    Source:
        Han et al., Medical Image Analysis 2022. Written from the paper.
    """
    last = state_dict.get(f"{LAST_LAYER}weight", state_dict.get(f"{LAST_LAYER}bias"))
    if last is None or not is_published(state_dict):
        return {}
    n = len(last)
    system = "WSSS-Tissue stage 2: " if n == 4 else ""  # the start weights have the 21 classes of VOC
    return {
        "what": f"{system}DeepLabv3+ ResNet-101, {n} classes",
        "arch": ARCH,
        "task": "segmentation",
        **without_names(n),
        "output_stride": 16,
    }
