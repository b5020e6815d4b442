"""Find the vision transformer of timm that bare weights belong to."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

import torch
from torch import Tensor

PATCHES = "patch_embed.proj.weight"

SIZES = {192: "tiny", 384: "small", 768: "base", 1024: "large", 1152: "so400m", 1280: "huge", 1536: "giant"}
"""Channels of a token -> the size in timm's names."""


def fitting_transformers(state_dict: Mapping[str, Tensor]) -> list[str]:
    """Return ``timm:NAME`` of the first ViT of timm with exactly these entries, its classifier aside.

    Returns:
        A list of one name; empty if none fits, or timm is not installed.
    """
    patches = state_dict.get(PATCHES)
    if patches is None or patches.ndim != 4 or len(patches) not in SIZES or find_spec("timm") is None:
        return []
    import timm

    shapes = {name: tuple(value.shape) for name, value in state_dict.items()}
    for name in timm.list_models(f"vit_{SIZES[len(patches)]}_patch{patches.shape[-1]}_*"):
        with torch.device("meta"):
            network = timm.create_model(name, pretrained=False, num_classes=0)
        own = {key: tuple(value.shape) for key, value in network.state_dict().items()}
        rest = shapes.keys() - own.keys()
        if own.items() <= shapes.items() and all(key.startswith("head") for key in rest):
            return [f"timm:{name}"]
    return []
