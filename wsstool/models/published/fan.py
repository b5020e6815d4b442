"""The published weights of FAN-Hybrid classifiers, with and without token head (STL).

The tensor names in these files are those of our trunk and head without the prefixes ``backbone.`` and
``head.``. Older files spell some names differently.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from wsstool.errors import BadInputError
from wsstool.models.fan.sizes import SIZES, STRIDE, Size
from wsstool.models.published.checkpoints import without_names
from wsstool.types import IMAGENET_MEAN, IMAGENET_STD

FIRST = "patch_embed.backbone.stem.0.weight"
"""A name that no other network has."""

TRUNK = ("patch_embed.", "pos_embed.", "blocks.")
"""How the names below ``backbone.`` begin; the others are the head's."""

_WIDTH = "pos_embed.token_projection.bias"
"""A name whose length is the number of channels of a token."""

_FUSED = re.compile(r"(cls_attn_blocks\.\d+\.attn\.)qkv(\..+)")
IMAGENET = {"mean": list(IMAGENET_MEAN), "std": list(IMAGENET_STD)}


def is_published(state_dict: Mapping[str, Tensor]) -> bool:
    """Return whether a state dict looks like a FAN-Hybrid classifier."""
    return FIRST in state_dict and "cls_token" in state_dict and "head.weight" in state_dict


def modern_names(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert the names of older files to the newer spelling; split the fused class attention in three.

    Example:
        >>> import torch
        >>> list(modern_names({"pos_embeder.token_projection.bias": torch.zeros(1)}))
        ['pos_embed.token_projection.bias']
    """
    state: dict[str, Tensor] = {}
    for name, value in state_dict.items():
        name = re.sub(r"^pos_embeder\.", "pos_embed.", name)
        if fused := _FUSED.fullmatch(name):
            state |= {
                f"{fused[1]}{one}{fused[2]}": part for one, part in zip("qkv", value.chunk(3), strict=True)
            }
        else:
            state[name] = value
    return state


def renamed(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert published names, old or new, to those of our classifier."""
    return {
        f"{'backbone' if name.startswith(TRUNK) else 'head'}.{name}": value
        for name, value in modern_names(state_dict).items()
    }


def published_names(state_dict: Mapping[str, Any]) -> dict[str, Any]:
    """Convert our names back to the published ones, in the published order.

    Example:
        >>> published_names({"backbone.blocks.0.gamma1": 1, "head.cls_token": 2, "head.head.bias": 3})
        {'cls_token': 2, 'blocks.0.gamma1': 1, 'head.bias': 3}
    """
    state = {re.sub(r"^(backbone|head)\.", "", name): value for name, value in state_dict.items()}
    first = {name: value for name, value in state.items() if name == "cls_token"}
    return first | state


def size_in(state_dict: Mapping[str, Tensor]) -> str | None:
    """Return the architecture whose trunk is in a state dict, whatever the names, or None."""
    bare = modern_names({name.removeprefix("backbone."): value for name, value in state_dict.items()})
    if FIRST not in bare or _WIDTH not in bare:
        return None
    found = _measured(bare)
    return next((arch for arch, size in SIZES.items() if _measures(size) == found), None)


def check_size(arch: str, state_dict: Mapping[str, Tensor], source: Path | str) -> None:
    """Raise BadInputError, which names both, if the weights for a FAN are those of another member."""
    found = size_in(state_dict)
    if arch in SIZES and found not in (None, arch):
        raise BadInputError(f"{source}: the weights are those of {found} and do not fit {arch}")


def describe(state_dict: Mapping[str, Tensor], source: Path | str) -> dict[str, Any]:
    """Return the metadata that a published file lacks.

    Returns:
        ``meta`` as written by ``train-cls``, and a description of the file, ``what``; the classes have no
        names (``named`` is False).

    Raises:
        BadInputError: the widths and depths match no member of the family.
    """
    arch = known_size(state_dict, source)
    n, has_tokens = len(state_dict["head.weight"]), "aux_head.weight" in state_dict
    head = " with token head (STL)" if has_tokens else ""
    return {
        "what": f"FAN-Hybrid {SIZES[arch].title}{head}, {n} classes",
        "arch": arch,
        "task": "classification",
        **without_names(n),
        **IMAGENET,
        "output_stride": STRIDE,
        "token_head": has_tokens,
        "single_label": True,
        "image_size": 224,
    }


def known_size(state_dict: Mapping[str, Tensor], source: Path | str) -> str:
    """Return the architecture whose trunk is in a state dict.

    Raises:
        BadInputError: the widths and depths are those of no member of the family, or cannot be measured.
    """
    if missing := [name for name in (FIRST, _WIDTH) if name not in state_dict]:
        raise BadInputError(f"{source} looks like a FAN, but has no '{missing[0]}'")
    if arch := size_in(state_dict):
        return arch
    dim, depth, _, stem_depths = _measured(state_dict)
    known = ", ".join(f"{arch} {size.dim} and {size.depth}" for arch, size in SIZES.items())
    raise BadInputError(
        f"{source} is a FAN of no known size: {dim} channels and {depth} blocks, with "
        f"{stem_depths[0]} and {stem_depths[1]} blocks in the stem; known are: {known}"
    )


def _measures(size: Size) -> tuple[int, int, int, tuple[int, int]]:
    return size.dim, size.depth, size.stem_channels[0], size.stem_depths


def _measured(state_dict: Mapping[str, Tensor]) -> tuple[int, int, int, tuple[int, int]]:
    """Return the widths and depths of a trunk under its published names."""
    stem = r"patch_embed\.backbone\.stages\.{}\.blocks"
    stem_depths = (_count(state_dict, stem.format(0)), _count(state_dict, stem.format(1)))
    return len(state_dict[_WIDTH]), _count(state_dict, "blocks"), len(state_dict[FIRST]), stem_depths


def _count(state_dict: Mapping[str, Tensor], group: str) -> int:
    """Count the numbered members of a group of names."""
    return len({match[1] for name in state_dict if (match := re.match(rf"{group}\.(\d+)\.", name))})
