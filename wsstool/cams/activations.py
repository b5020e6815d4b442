"""One forward pass that records named layers, and as few backward passes to them as possible."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from wsstool.cams.result import Cams
from wsstool.errors import UsageError
from wsstool.models.backbones import Backbone
from wsstool.models.backbones.token_maps import TokenMap
from wsstool.models.layers import find_layer


class Recording(NamedTuple):
    """Outputs of the named layers (each (B, F, h, w), in the order of the names) and logits (B, C)."""

    activations: tuple[Tensor, ...]
    logits: Tensor


def record(model: nn.Module, x: Tensor, layers: Sequence[str] = (), *, gradients: bool = False) -> Recording:
    """Run ``model(x)`` once in evaluation mode and return the outputs of the named layers and the logits.

    With ``gradients`` autograd starts at the earliest of them: everything before runs without a graph, the
    output of that layer is a leaf, and no backward pass goes further. Recorded outputs are safe from in-place
    operations behind them. Modes and gradients of the model are restored and all hooks are removed, also
    after an exception.

    Args:
        model: (B, 3, H, W) -> logits (B, C).
        x: (B, 3, H, W) float, on the model's device.
        layers: names of submodules, see ``find_layer``; none means ``model.default_layer``. Tokens of
            transformers become maps. If a layer runs several times, its last output is returned.
        gradients: whether backward passes will follow.

    Raises:
        UsageError: a name that the model does not have, a layer that did not run or whose output is not
            (B, F, h, w), or a model that does not return (B, C) logits.
    """
    names = tuple(layers) or _default_layers(model)
    outputs: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[..., Tensor]:
        def hook(module: nn.Module, inputs: object, output: object) -> Tensor:
            found = _as_map(model, output, x)
            if found is None:
                shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
                raise UsageError(f"the output of layer '{name}' is {shape}, not a feature map (B, F, h, w)")
            maps = found.map
            if gradients:
                torch.set_grad_enabled(True)  # until record() ends: the graph starts here
                if not maps.requires_grad:
                    maps = maps.detach().requires_grad_()
            outputs[name] = maps
            return found.back(maps.clone())  # the rest of the network may overwrite its copy

        return hook

    modules = [find_layer(model, name) for name in names]
    handles = []
    with torch.inference_mode(False), torch.no_grad(), evaluating(model):
        try:
            for name, module in zip(names, modules, strict=True):
                handles.append(module.register_forward_hook(keep(name)))
            logits = model(x.clone() if x.is_inference() else x)
        finally:
            for handle in handles:
                handle.remove()
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        raise UsageError("class maps need a classifier: a network that returns one logit per image and class")
    for name in names:
        if name not in outputs:
            raise UsageError(f"layer '{name}' did not run in the forward pass")
    return Recording(tuple(outputs[name] for name in names), logits)


def _as_map(model: nn.Module, output: object, x: Tensor) -> TokenMap | None:
    """Return the output of a layer for the images ``x`` as a map, that of a transformer's block too."""
    if not isinstance(output, Tensor):
        return None
    backbone = getattr(model, "backbone", None)
    if isinstance(backbone, Backbone):
        return backbone.as_map(output, (x.shape[-2], x.shape[-1]))
    return TokenMap(output, lambda m: m) if output.ndim == 4 else None


@torch.no_grad()
def gradient_maps(
    model: nn.Module,
    x: Tensor,
    targets: Tensor,
    layers: Sequence[str],
    combine: Callable[[Tensor, Tensor], Tensor],
    closed_form: Callable[[Tensor, Tensor], Tensor | None] = lambda features, logits: None,
) -> Cams:
    """Compute class maps from gradient-weighted activations: one forward pass, few short backward passes.

    Args:
        model: see :func:`record`.
        x: (B, 3, H, W) float.
        targets: (B, C) bool, the classes to compute maps for.
        layers: see :func:`record`.
        combine: activations A and gradients dS/dA of n images, both (n, F, h, w) -> maps (n, h, w).
        closed_form: ``(features, logits)`` of a layer -> (B, C, h, w) if the maps can be computed without a
            backward pass, else None.
    """
    recording = record(model, x, layers, gradients=True)
    check_targets(targets, recording.logits)
    known = [closed_form(a, recording.logits) for a in recording.activations]
    maps = [
        only(targets, m) if m is not None else a.new_zeros(*targets.shape, *a.shape[2:], dtype=torch.float32)
        for a, m in zip(recording.activations, known, strict=True)
    ]
    wanted = [i for i, m in enumerate(known) if m is None]
    for rows, classes, gradients in _backward(recording, targets, wanted):
        for i, g in zip(wanted, gradients, strict=True):
            a = recording.activations[i]
            maps[i][rows, classes] = combine(a[rows].float(), g[rows].float())
    return Cams(tuple(maps), recording.logits.detach().float())


def _backward(
    recording: Recording, targets: Tensor, wanted: list[int]
) -> Iterator[tuple[Tensor, Tensor, tuple[Tensor, ...]]]:
    """Differentiate the k-th present class of every image at once, in pass k.

    Images are independent, so the number of passes is the largest number of classes in one image. Yields row
    and class of each image that has a k-th class, and dS/dA of the wanted layers.
    """
    if not wanted or not targets.any():
        return
    rank = targets.cumsum(1)
    last = int(rank[:, -1].max())
    sources = [recording.activations[i] for i in wanted]
    for k in range(1, last + 1):
        with torch.inference_mode(False), torch.enable_grad():
            rows, classes = (targets & (rank == k)).nonzero(as_tuple=True)
            score = recording.logits[rows, classes].sum()
            found = torch.autograd.grad(score, sources, retain_graph=k < last, allow_unused=True)
        if any(g is None for g in found):
            raise UsageError("a named layer has no influence on the logits")
        yield rows, classes, found


def only(targets: Tensor, maps: Tensor) -> Tensor:
    """Return ``maps`` (B, C, h, w) in float32, zero where ``targets`` (B, C) is false."""
    return maps.float().masked_fill(~targets[:, :, None, None], 0.0)


def check_targets(targets: Tensor, logits: Tensor) -> None:
    """Raise ValueError unless ``targets`` is bool and has the shape of ``logits``."""
    if targets.dtype != torch.bool or targets.shape != logits.shape:
        found = f"{tuple(targets.shape)} {targets.dtype}"
        raise ValueError(f"targets must be bool of shape {tuple(logits.shape)}, not {found}")


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Set evaluation mode module by module, without ``train()``, which some networks override."""
    training = [m for m in model.modules() if m.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _default_layers(model: nn.Module) -> tuple[str, ...]:
    name = getattr(model, "default_layer", None)
    if not isinstance(name, str):
        raise UsageError("this network has no default layer; name one with --layer")
    return (name,)
