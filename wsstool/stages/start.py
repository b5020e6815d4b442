"""What the networks of a training run start from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from wsstool.models.classifier import NORMALIZATIONS
from wsstool.models.deeplabv3plus import without_last_layer
from wsstool.models.segmenter import build_segmenter, start_from
from wsstool.models.weights import Weights


def start_normalisation(normalization: str, start: Weights | None) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of the colours: as named, or ``auto``: those of the start weights.

    Start weights that say nothing are ImageNet's.
    """
    meta = start.meta if start and normalization == "auto" else {}
    mean, std = NORMALIZATIONS["imagenet" if normalization == "auto" else normalization]
    return list(meta.get("mean", mean)), list(meta.get("std", std))


def network_builder(
    arch: str,
    n_classes: int,
    output_stride: int | None,
    width: int | None,
    start: Weights | None,
    init: Path | None,
    seed: int,
    frozen: bool,
) -> Callable[[int], nn.Module]:
    """Number of a network -> the network with a random start of its own, then the start weights.

    Of a published DeepLabv3+ the layer of its classes is dropped, as its own program does.
    """

    def build(number: int) -> nn.Module:
        torch.manual_seed(seed + number)
        network = build_segmenter(arch, n_classes, output_stride=output_stride, width=width)
        if start is not None:
            state = start.state_dict
            if not start.meta.get("named", True):
                state = without_last_layer(state)
            if number and start.state_dict_2 is not None:
                state = start.state_dict_2
            elif number:  # a head in common would make both networks the same
                state = {k: v for k, v in state.items() if k.startswith("backbone.")} or state
            start_from(network, state, f"'{init}'")
        if frozen:
            network.freeze_backbone()
        return network

    return build
