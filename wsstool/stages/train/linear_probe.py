"""A segmenter with a linear head, solved for instead of trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from wsstool.errors import UsageError
from wsstool.models.segmenter import Segmenter
from wsstool.stages.checks import check_penalty, check_scales
from wsstool.stages.inputs.label_maps import Masked, usable_numbers
from wsstool.stages.train.segmenter_training import Learned, about
from wsstool.training.cotraining.segmentation_task import Setup
from wsstool.training.images.decoded_images import DecodedImages
from wsstool.training.pixel_probe import cells, outputs_of, pixel_probe

PROBE_PARAMS = (
    "layer_weight",
    "ignore_class",
    "arch",
    "output_stride",
    "normalization",
    "split",
    "class_list",
    "masks",
    "seed",
)
"""Options of step-wise training that count for a probe too."""


def check_probe(
    head: str, init: Path | None, has_validation: bool, scales: Sequence[float], penalty: float
) -> None:
    """Raise UsageError where the options do not go with a probe."""
    if head != "linear" or init is None:
        raise UsageError("--probe fits the head 'linear' (--arch linear-BACKBONE) on start weights (--init)")
    if has_validation:
        raise UsageError("--probe has no epochs to choose from: leave out --val and --val-split")
    check_penalty(penalty)
    check_scales(scales)


def solve(
    setup: Setup,
    data: Masked,
    arch: str,
    scales: Sequence[float],
    penalty: float,
    seed: int,
    device: torch.device,
) -> Learned:
    """The network with its linear head at the minimum, and how much of the labels it reproduces."""
    pictures = DecodedImages(data.paths, messages=setup.messages)
    numbers, failed = usable_numbers(data, pictures, setup.messages)
    setup.messages.say(f"fitting {arch} on {about(setup, data, numbers)}")
    network: Segmenter = setup.build(0).to(device, memory_format=torch.channels_last)  # type: ignore[assignment, call-overload]
    features, shares = cells(
        network,
        pictures.__getitem__,
        data.masks,
        numbers,
        layer_weights=setup.layer_weights,
        outputs=outputs_of(setup.class_ids or range(len(setup.class_names))),
        mean=setup.mean,
        std=setup.std,
        scales=scales,
        seed=seed,
        messages=setup.messages,
    )
    right = pixel_probe(network, features, shares, penalty=penalty)
    figures = {"cells": len(features), "pixels_right": round(right, 6)}
    return Learned([network], figures, len(numbers), len(failed))
