"""The library timm and its names: the one that was probably meant, the one that bare weights belong to."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from wsstool.errors import UsageError

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
    timm = imported_timm()
    shapes = {name: tuple(value.shape) for name, value in state_dict.items()}
    for name in timm.list_models(f"vit_{SIZES[len(patches)]}_patch{patches.shape[-1]}_*"):
        with torch.device("meta"):
            network = timm.create_model(name, pretrained=False, num_classes=0)
        own = {key: tuple(value.shape) for key, value in network.state_dict().items()}
        rest = shapes.keys() - own.keys()
        if own.items() <= shapes.items() and all(key.startswith("head") for key in rest):
            return [f"timm:{name}"]
    return []


def imported_timm() -> Any:
    """Import timm, without what it and the packages below it print meanwhile.

    huggingface_hub prints to the standard output, which belongs to the data, where a package that it could
    use is missing or half installed; timm goes on without it.

    Raises:
        UsageError: it cannot be imported.
    """
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            return import_module("timm")
    except Exception as error:  # whatever a half-installed package raises
        raise UsageError(
            f"timm is installed, but cannot be imported ({type(error).__name__}: {error}); reinstall it: "
            "pip install --force-reinstall timm"
        ) from error


def nearest_names(typed: str, names: Iterable[str], most: int = 5) -> list[str]:
    """Return the names that were probably meant, the likeliest first.

    Case and the characters between words do not count. First come names that are spelled so, then those that
    start so, contain it, or have its parts abbreviated in this order, then similar ones.

    Example:
        >>> nearest_names("ViT-B/16", ["vit_small_patch16_224", "resnet50", "vit_base_patch16_224"])
        ['vit_base_patch16_224']
    """
    bare = {_letters(name): name for name in sorted(names, key=lambda name: (len(name), name))}
    wanted, parts = _letters(typed), _PARTS.findall(typed.lower())
    if not wanted:
        return []
    starts = (rf"(?<![a-z0-9]){p}" if p.isalpha() else rf"(?<!\d){p}" for p in parts)
    abbreviated = re.compile(".*".join(starts))
    found = [
        *(name for spelled, name in bare.items() if spelled == wanted),
        *(name for spelled, name in bare.items() if spelled.startswith(wanted)),
        *(name for spelled, name in bare.items() if wanted in spelled),
        *(name for name in bare.values() if abbreviated.match(name.lower())),
    ]
    found = found or [bare[spelled] for spelled in get_close_matches(wanted, bare, most, 0.6)]
    return list(dict.fromkeys(found))[:most]


_PARTS = re.compile(r"[a-z]+|\d+")


def _letters(name: str) -> str:
    return "".join(_PARTS.findall(name.lower()))
