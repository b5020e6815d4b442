"""The layout of a network: its parts, their strides and channels, measured with one small image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from wsstool.models.fan.trunk import EXPANDED

GROUPS = ("features", "trunk_output", "_blocks", *EXPANDED)
"""Children whose own children are the parts of a backbone."""

PROBE_SIZE = 64
"""Side of the image that networks are measured with, pixels: a multiple of every stride."""


@dataclass(frozen=True)
class Stage:
    """One named part of a backbone: name within the backbone, stride and channels of its output."""

    name: str
    stride: int
    channels: int


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation of red, green and blue in [0, 1], as the published weights expect them."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Layout:
    """What follows from the name of a network alone.

    Attributes:
        stages: its parts, in the order in which they run.
        input_strides: input stride of every convolution and max pooling, by name.
        output_strides: possible strides of the last map, the network's own first.
    """

    stages: tuple[Stage, ...]
    input_strides: Mapping[str, int]
    output_strides: tuple[int, ...]


def measured_layout(network: nn.Module) -> tuple[tuple[Stage, ...], dict[str, int]]:
    """Measure a network by a forward pass in eval mode, on the device where it is.

    Returns:
        Its parts, and the input stride of every convolution and max pooling by name.
    """
    stages: list[Stage] = []
    strides: dict[str, int] = {}
    parts = dict(_parts("", network))
    layers = {n: m for n, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.MaxPool2d)}

    def note(name: str, inputs: Any, output: Tensor) -> None:
        if name in layers:
            strides[name] = PROBE_SIZE // inputs[0].shape[-1]
        if name in parts:
            stages.append(Stage(name, PROBE_SIZE // output.shape[-1], output.shape[1]))

    watch(network, parts | layers, note)
    return tuple(stages), strides


def watch(
    network: nn.Module, watched: Mapping[str, nn.Module], note: Callable[[str, Any, Tensor], None]
) -> None:
    """Run a probe image through a network, and note input and output of some of its modules."""

    def hook_for(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        return lambda _, inputs, output: note(name, inputs, output)

    hooks = [module.register_forward_hook(hook_for(name)) for name, module in watched.items()]
    was_training = network.training
    try:
        with torch.no_grad():
            device = next(network.parameters()).device
            network.eval()(torch.zeros(1, 3, PROBE_SIZE, PROBE_SIZE, device=device))
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()


def _parts(prefix: str, group: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the parts by name, in order: the children, or what is inside those of ``GROUPS``."""
    for key, child in group.named_children():
        if prefix + key in GROUPS:
            yield from _parts(f"{prefix}{key}.", child)
        else:
            yield prefix + key, child
