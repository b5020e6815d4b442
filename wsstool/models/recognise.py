"""Which architecture a weights file fits: its description where it has one, else its keys and shapes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wsstool.models.backbones import BACKBONES, CLASSIFIER_PREFIXES, plain_shapes
from wsstool.models.fitting import check_fit
from wsstool.models.weights import build_model, load_weights


def fitting_backbones(state_dict: Mapping[str, Tensor]) -> list[str]:
    """The backbones whose every key and shape is in a state dict, at the top or below ``backbone.``."""
    shapes = {k.removeprefix("backbone."): tuple(v.shape) for k, v in state_dict.items()}
    own = {k: v for k, v in shapes.items() if not k.startswith(CLASSIFIER_PREFIXES)}
    fitting = []
    for arch in BACKBONES:
        wanted = plain_shapes(arch)
        if all(own.get(k) == shape for k, shape in wanted.items() if not k.endswith("num_batches_tracked")):
            fitting.append(arch)
    return fitting


def describe_weights(path: Path | str) -> dict[str, Any]:
    """What a weights file is: its description, sizes, and the backbones that it fits.

    Returns:
        ``what`` (in words, for published networks that are known), ``meta`` (its description, empty for
        foreign files), ``tensors``, ``parameters`` (numbers that training changes), ``networks`` (1,
        or 2 for co-trained), ``arch`` (as described, else the first backbone that fits, else None), ``fits``
        (names of all that fit; not searched when described).

    Raises:
        MissingInputError: no such file.
        BadInputError: not a weights file, or a published network with entries missing or too many.
    """
    weights = load_weights(path)
    what = weights.meta.get("what")
    if what:
        with torch.device("meta"):
            shapes = {k: tuple(v.shape) for k, v in build_model(weights.meta).state_dict().items()}
        check_fit(shapes, weights.state_dict, f"{path} ({what})")
    described = weights.meta.get("arch")
    fits = [] if described else fitting_backbones(weights.state_dict)
    return {
        **({"what": what} if what else {}),
        "meta": weights.meta,
        "tensors": len(weights.state_dict),
        "parameters": sum(v.numel() for k, v in weights.state_dict.items() if _is_parameter(k, v)),
        "networks": 1 if weights.state_dict_2 is None else 2,
        "arch": described or (fits[0] if fits else None),
        "fits": fits,
    }


def _is_parameter(name: str, value: Tensor) -> bool:
    return value.is_floating_point() and not name.endswith(("running_mean", "running_var"))
