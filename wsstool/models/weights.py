"""Weights files: a state dict and its metadata, written atomically, read without running foreign code."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from wsstool.errors import BadInputError, MissingInputError, UsageError, WsstoolError
from wsstool.models.backbones import on_meta
from wsstool.models.classifier import build_classifier
from wsstool.models.description import check_description, missing_package
from wsstool.models.fan.class_head import TOKEN_HEAD
from wsstool.models.files.torch_file import load_safely, save_atomically
from wsstool.models.fitting import check_fit
from wsstool.models.published import fan, fan_segformer, pytorch_fcn, tissue_stage1, tissue_stage2
from wsstool.models.published.mxnet_params import is_mxnet, read_params
from wsstool.models.published.safetensors_file import is_safetensors, read_safetensors

CONTAINERS = ("state_dict", "state_dict_ema", "model_state_dict", "model", "net", "module")
"""Keys under which other programs store the state dict, in order of preference."""

AVERAGED = "state_dict_ema"
"""Key of the weights averaged over the training, beside the last ones."""


class UndescribedError(BadInputError):
    """A weights file without metadata that names its network."""


@dataclass(frozen=True)
class Weights:
    """Contents of a weights file.

    Attributes:
        state_dict: name -> tensor, on the CPU.
        meta: arch, task, classes, class_ids, background, palette, mean, std, output_stride, pool, image_size,
            key, provenance; for published files what can be inferred from their names, else empty.
        state_dict_2: the second of two co-trained networks, or None.
        has_average: whether the file of another program contains the moving average of the weights; None for
            ours.
        has_choice: whether it contains both that average and the last weights.
        trained: number of epochs and iterations of the training, as far as such a file states them.
    """

    state_dict: dict[str, Tensor]
    meta: dict[str, Any] = field(default_factory=dict)
    state_dict_2: dict[str, Tensor] | None = None
    has_average: bool | None = None
    has_choice: bool = False
    trained: dict[str, int] = field(default_factory=dict)


def save_weights(
    path: Path | str,
    state_dict: Mapping[str, Tensor],
    meta: Mapping[str, Any],
    state_dict_2: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a weights file; equal contents give equal bytes.

    Raises:
        CannotWriteError: no space, no permission, no such folder.
        WsstoolError: a weight is not a finite number; nothing is written.
    """
    odd = _not_finite(state_dict) or _not_finite(state_dict_2 or {})
    if odd is not None:
        raise WsstoolError(
            f"the trained weights contain values that are not finite (such as in {odd}), so {path} was not "
            "written; lower the learning rate"
        )
    content: dict[str, Any] = {"state_dict": _on_cpu(state_dict), "meta": _one_object_per_text(dict(meta))}
    if state_dict_2 is not None:
        content["state_dict_2"] = _on_cpu(state_dict_2)
    save_atomically(content, Path(path))


def _one_object_per_text(value: Any) -> Any:
    """Copy containers so that equal strings are one object, as pickle abbreviates repeated objects."""
    if isinstance(value, str):
        return sys.intern(str(value))
    if isinstance(value, Mapping):
        return {_one_object_per_text(key): _one_object_per_text(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_one_object_per_text(one) for one in value)
    return value


def _not_finite(state_dict: Mapping[str, Tensor]) -> str | None:
    """Name of a tensor with a NaN or an infinity, or None."""
    for name, value in state_dict.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            return name
    return None


def _on_cpu(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().to("cpu", copy=True).contiguous() for name, value in state_dict.items()}


def load_weights(path: Path | str, *, averaged: bool = True) -> Weights:
    """Read a weights file: ours, a bare or wrapped state dict, safetensors, or MXNet's start weights.

    Args:
        path: the file.
        averaged: read the moving average of the weights where the file of another program contains both that
            and the last weights.

    Raises:
        MissingInputError: no such file.
        BadInputError: truncated, damaged, not safe to open, without a state dict, the published stage 1 of
            WSSS-Tissue with entries missing or too many, or a published FAN of an unknown size.
        UsageError: a safetensors file, and that package is not installed.
    """
    if is_mxnet(path):
        return Weights(tissue_stage1.from_mxnet(read_params(path)))
    content = read_safetensors(path) if is_safetensors(path) else load_safely(path)
    if not isinstance(content, Mapping):
        raise BadInputError(f"{path} contains a {type(content).__name__}, not a state dict")
    meta = content.get("meta")
    if isinstance(meta, Mapping) and ("arch" in meta or "task" in meta):
        second = content.get("state_dict_2")
        check_description(meta, path)
        state = _unwrapped(content, path)
        described = {"token_head": True, **meta} if TOKEN_HEAD in state else dict(meta)
        return Weights(state, described, _unwrapped(second, path) if isinstance(second, Mapping) else None)
    return _foreign(content, path, averaged)


def _foreign(content: Mapping[str, Any], path: Path | str, averaged: bool) -> Weights:
    """Read the file of another program; add our names and metadata if its network is known."""
    copies = {key for key in CONTAINERS if isinstance(content.get(key), Mapping)}
    is_average = AVERAGED in copies and (averaged or len(copies) == 1)
    state = _unwrapped(content[AVERAGED] if is_average else content, path)
    training = content["meta"] if isinstance(content.get("meta"), Mapping) else {}
    stated = {"epoch": content.get("epoch", training.get("epoch")), "iteration": training.get("iter")}
    state, meta = _published(state, path, content.get("arch"), training)
    return Weights(
        state,
        meta,
        has_average=AVERAGED in copies,
        has_choice=AVERAGED in copies and len(copies) > 1,
        trained={name: int(value) for name, value in stated.items() if isinstance(value, Integral)},
    )


def _published(
    state: dict[str, Tensor], path: Path | str, arch: object, training: Mapping[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the state dict under our names, and the metadata of a published network; {} for others.

    ``arch`` is the name in a training checkpoint, ``training`` its description of the training.
    """
    if tissue_stage1.is_published(state) and tissue_stage1.HEAD in state:
        return tissue_stage1.renamed(state), tissue_stage1.describe(state, path)
    if fan.is_published(state):
        return fan.renamed(state), fan.describe(fan.modern_names(state), path)
    if fan_segformer.is_published(state):
        return fan_segformer.renamed(state), fan_segformer.describe(state, path, training)
    return state, pytorch_fcn.describe(state, arch) or tissue_stage2.describe(state)


def _unwrapped(content: Mapping[str, Any], path: Path | str, depth: int = 9) -> dict[str, Tensor]:
    """Return the state dict inside foreign containers, without the ``module.`` of data-parallel training."""
    for key in CONTAINERS if depth else ():  # a container may hold itself
        if isinstance(content.get(key), Mapping):
            return _unwrapped(content[key], path, depth - 1)
    state = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    for name, value in state.items():  # a view may claim any size
        if value.is_sparse or value.nbytes > max(value.untyped_storage().nbytes(), 1 << 31):
            raise BadInputError(f"{path} is damaged: {name} claims more values than the file contains")
    if not content:
        raise BadInputError(f"{path} contains no weights, only an empty dictionary")
    if not state:
        raise BadInputError(
            f"{path} contains no state dict; its entries are: {', '.join(map(str, content))[:200]}"
        )
    while all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): value for name, value in state.items()}
    return state


def load_state(
    model: nn.Module, state_dict: Mapping[str, Tensor], source: Path | str = "the state dict"
) -> None:
    """Load a state dict that must fit exactly; only the step counters of batch norms may be missing.

    Raises:
        BadInputError: missing or extra keys, or other shapes (the message names the first of each), or a
            value that is not finite.
    """
    odd = _not_finite(state_dict)
    if odd is not None:
        raise BadInputError(f"{source} contains values that are not finite (in {odd}): its training failed")
    check_fit({k: tuple(v.shape) for k, v in model.state_dict().items()}, state_dict, str(source))
    model.load_state_dict(dict(state_dict), strict=False)


def build_model(meta: Mapping[str, Any], source: Path | str = "the weights file") -> nn.Module:
    """Build the network that ``meta`` describes, with random weights.

    Raises:
        UndescribedError: the metadata is incomplete.
        MissingInputError: a part of the network is from another package, which is not installed.
        BadInputError: an unknown task or network.
    """
    try:
        return _built(meta, source)
    except UsageError as error:
        if package := missing_package(meta):
            raise MissingInputError(f"{source} needs {package}, which is not installed") from error
        raise BadInputError(f"{source} describes a network that cannot be built: {error}") from error


def _built(meta: Mapping[str, Any], source: Path | str) -> nn.Module:
    if meta.get("task") == "referring":
        from wsstool.models.referring.build import build_described

        return build_described(meta, source)
    try:
        arch, task, class_ids = meta["arch"], meta["task"], meta["class_ids"]
    except KeyError as error:
        raise UndescribedError(
            f"{source} does not name its network (no {error} in its metadata); 'wsstool info FILE' shows "
            "which architecture fits"
        ) from error
    if task == "classification":
        return build_classifier(
            arch,
            len(class_ids),
            output_stride=meta.get("output_stride"),
            pool=meta.get("pool", "average"),
            dropout=meta.get("dropout", 0.0),
            head_bias=meta.get("head_bias", True),
            token_head=meta.get("token_head", False),
        )
    if task == "segmentation":
        from wsstool.models.segmenter import build_segmenter

        return build_segmenter(
            arch,
            len(class_ids),
            output_stride=meta.get("output_stride"),
            width=meta.get("width"),
            channel_order=meta.get("channel_order", "rgb"),
            floored_positions=meta.get("floored_positions", True),
        )
    if task == "contour":
        from wsstool.models.contour import build_contour

        return build_contour(
            arch,
            width=meta.get("width", 64),
            condition=meta.get("condition", "none"),
            condition_size=meta.get("condition_size", 0),
        )
    raise BadInputError(
        f"{source} is for the task '{task}'; there are: classification, segmentation, contour, referring"
    )


def described_shapes(meta: Mapping[str, Any], source: Path | str) -> dict[str, tuple[int, ...]]:
    """Return name -> shape of every entry of the network that ``meta`` describes, without allocating memory.

    Raises:
        BadInputError, MissingInputError: see ``build_model``.
    """
    with on_meta(str(meta.get("arch"))):
        network = build_model(meta, source)
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def build_from_weights(path: Path | str, weights: Weights | None = None) -> tuple[nn.Module, dict[str, Any]]:
    """Build the trained network of a weights file, in eval mode on the CPU; also return its metadata.

    Args:
        path: the file, ours or published.
        weights: result of ``load_weights`` for it, if it has been read already.

    Raises:
        MissingInputError: no such file.
        BadInputError: damaged, without metadata, or weights that do not fit the metadata.
    """
    weights = weights or load_weights(path)
    if not weights.meta and tissue_stage1.is_published(weights.state_dict):
        tissue_stage1.title(weights.state_dict, path)  # raises an error that names what is missing
    model = build_model(weights.meta, path)
    load_state(model, weights.state_dict, path)
    return model.eval(), weights.meta
