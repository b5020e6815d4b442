"""Find the architecture that a weights file fits: from its metadata, else from its keys and shapes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from wsstool.errors import BadInputError, UsageError
from wsstool.models.backbones import BACKBONES, plain_shapes, weightless
from wsstool.models.backbones.timm_names import fitting_transformers
from wsstool.models.fitting import check_fit
from wsstool.models.published import tissue_stage1
from wsstool.models.weights import Weights, described_shapes, load_weights


def fitting_backbones(state_dict: Mapping[str, Tensor]) -> list[str]:
    """List the backbones whose keys and shapes occur in a state dict, top-level or under ``backbone.``.

    Of the networks of timm, only vision transformers are looked for.
    """
    bare = {k.removeprefix("backbone."): v for k, v in state_dict.items()}
    fitting = []
    for arch in BACKBONES:
        try:
            wanted = plain_shapes(arch)
        except (UsageError, ImportError):  # ``timm`` alone names no network; one of another package is broken
            continue
        own = {k: tuple(v.shape) for k, v in weightless(arch).own_names(bare).items()}
        if all(own.get(k) == shape for k, shape in wanted.items() if not k.endswith("num_batches_tracked")):
            fitting.append(arch)
    return fitting or fitting_transformers(bare)


def foreign_weights_error(path: Path, command: str, made: str) -> BadInputError:
    """Describe a state dict without metadata where a trained network is required.

    The message names the backbone that it fits, and the command that makes what is needed from it.

    Args:
        path: the file.
        command: command that takes such weights as ``--init``, with ``{}`` for the name of the backbone.
        made: output of that command.
    """
    fits = fitting_backbones(load_weights(path).state_dict)
    known = f"it fits the backbone {fits[0]}" if fits else "it fits no known backbone"
    start = f"{command.format(fits[0])} --init {path}" if fits else " ".join(command.split()[:2])
    return BadInputError(
        f"'{path}' is a bare state dict without the names of its network and classes; {known}; '{start}' "
        f"makes {made}{' from it' if fits else ''}"
    )


def describe_weights(path: Path | str) -> dict[str, Any]:
    """Describe a weights file: its metadata, sizes, and the backbones that it fits.

    Returns:
        ``what`` (a short description, for known published networks), ``meta`` (its metadata, empty for
        foreign files), ``tensors``, ``parameters`` (number of trainable values), ``networks`` (1, or 2 for
        co-trained), ``arch`` (from the metadata, else the first backbone that fits, else None), ``fits`` (the
        described network; for other files the names of all backbones that fit). For files of other programs
        also ``ema``, whether the file contains the moving average of the weights, which is then described,
        and ``epoch`` and ``iteration`` if the file states them.

    Raises:
        MissingInputError: no such file.
        BadInputError: not a weights file; missing or extra entries, or other shapes than those of the network
            that the file describes, or of the published one that it must be.
    """
    weights = load_weights(path)
    meta, state = weights.meta, weights.state_dict
    what, arch = meta.get("what"), meta.get("arch")
    if arch:
        _check_described(weights, f"{path}")
    fits = [arch] if arch else fitting_backbones(state)
    if not fits and tissue_stage1.is_published(state):
        tissue_stage1.title(state, path)  # raises an error that names what is missing
    return {
        **({"what": what} if what else {}),
        "meta": meta,
        "tensors": len(state),
        "parameters": sum(v.numel() for k, v in state.items() if _is_parameter(k, v)),
        "networks": 1 if weights.state_dict_2 is None else 2,
        "arch": fits[0] if fits else None,
        "fits": fits,
        **({} if weights.has_average is None else {"ema": weights.has_average}),
        **weights.trained,
    }


def _check_described(weights: Weights, path: str) -> None:
    """Raise BadInputError unless the state dicts fit the network that their file describes."""
    meta = weights.meta
    shapes = described_shapes(meta, path)
    what = meta.get("what") or f"{meta['task']} with {meta['arch']}, {len(meta['class_ids'])} outputs"
    check_fit(shapes, weights.state_dict, f"{path} ({what})")
    if weights.state_dict_2 is not None:
        check_fit(shapes, weights.state_dict_2, f"{path} ({what}, the second network)")


def _is_parameter(name: str, value: Tensor) -> bool:
    return value.is_floating_point() and not name.endswith(("running_mean", "running_var"))
