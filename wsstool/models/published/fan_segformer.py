"""The published segmenters: a FAN-Hybrid with SegFormer's head, trained on Cityscapes.

The names in these files are those of ``SegFormer``, except that the class attention has no name of its own;
they also contain layers that the network does not use.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from wsstool.models.fan.sizes import SIZES, STRIDE
from wsstool.models.heads.segformer import ATTENDED, LAST_LAYER
from wsstool.models.published.checkpoints import without_names
from wsstool.models.published.fan import FIRST, IMAGENET, known_size, modern_names

UNUSED = re.compile(r"decode_head\.conv_seg\.|backbone\.(norm|head|aux_head)\.")
"""Entries without a role: a layer that the head inherits, and the classifier of the backbone."""


def is_published(state_dict: Mapping[str, Tensor]) -> bool:
    """Whether a state dict looks like such a network."""
    return {f"backbone.{FIRST}", "backbone.cls_token", f"{LAST_LAYER}weight"} <= state_dict.keys()


def renamed(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the entries that the network uses, as our segmenter names them.

    Example:
        >>> import torch
        >>> names = "backbone.cls_token", "backbone.pos_embed.bias", "decode_head.conv_seg.bias"
        >>> list(renamed(dict.fromkeys(names, torch.zeros(1))))
        ['backbone.class_attention.cls_token', 'backbone.pos_embed.bias']
    """
    used = {name: value for name, value in state_dict.items() if not UNUSED.match(name)}
    trunk = modern_names(_below_backbone(used))
    own = {f"backbone.{re.sub(r'^cls_', f'{ATTENDED}.cls_', name)}": value for name, value in trunk.items()}
    return own | {name: value for name, value in used.items() if not name.startswith("backbone.")}


def describe(
    state_dict: Mapping[str, Tensor], source: Path | str, training: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the metadata that ``cotrain`` would have written.

    Args:
        state_dict: contents of the file, under their published names.
        source: the file, for messages.
        training: the file's own description of its training; may be empty.

    Returns:
        ``meta``, with ``what`` the file is, in words, and ``unused``, the entries that the network does not
        use. The classes are named if ``training`` names them (``CLASSES``).

    Raises:
        BadInputError: the widths and depths are those of no member of the family.
    """
    arch = known_size(modern_names(_below_backbone(state_dict)), source)
    last = state_dict[f"{LAST_LAYER}weight"]
    unused = [name for name in state_dict if UNUSED.match(name)]
    return {
        "what": f"FAN-Hybrid {SIZES[arch].title} with SegFormer head, {len(last)} classes",
        "arch": f"segformer-{arch}",
        "task": "segmentation",
        **without_names(len(last)),
        **_names(training, len(last)),
        **IMAGENET,
        "output_stride": STRIDE,
        "width": last.shape[1],
        "floored_positions": False,
        **({"unused": unused} if unused else {}),
    }


def _below_backbone(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    first = "backbone."
    return {k.removeprefix(first): value for k, value in state_dict.items() if k.startswith(first)}


def _names(training: Mapping[str, Any], n_classes: int) -> dict[str, Any]:
    """Return names and colours of the classes, if the file names as many as there are outputs."""
    names, palette = training.get("CLASSES"), training.get("PALETTE")
    if not isinstance(names, list | tuple) or len(names) != n_classes:
        return {}
    colours = palette if isinstance(palette, list | tuple) and len(palette) == n_classes else []
    return {
        "classes": [str(name) for name in names],
        "named": True,
        "palette": [[int(value) for value in colour] for colour in colours],
    }
