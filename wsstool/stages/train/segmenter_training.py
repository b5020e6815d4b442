"""The step-by-step way of cotrain; the other is ``solved``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from wsstool.data.augmentation.crops import RandomCrop
from wsstool.errors import UsageError
from wsstool.stages.inputs.label_maps import Masked, usable_numbers
from wsstool.training.cotraining.segmentation_task import CoTraining, Setup
from wsstool.training.epoch_loader import EpochLoader
from wsstool.training.images.decoded_images import DecodedImages
from wsstool.training.images.label_map_images import MaskedImages
from wsstool.training.loop import fit
from wsstool.training.plan import Plan

LARGEST_CROP = 320
"""Side of the training views, pixels, unless the images are smaller or ``crop_size`` says otherwise."""


@dataclass(frozen=True)
class Learned:
    """What training gives: networks, the figures of the epoch kept, and the images used and failed."""

    networks: list[nn.Module]
    figures: dict[str, Any]
    used: int
    failed: int


def by_steps(
    make: Callable[[Setup], CoTraining],
    setup: Setup,
    data: Masked,
    params: Mapping[str, Any],
    *,
    output: Path,
    identity: str,
    amp: bool,
    workers: int,
    device: torch.device,
) -> Learned:
    """Train by gradient descent, from where an interrupted run of the same ``identity`` stopped.

    Args:
        make: method of ``registry.COTRAINERS`` with its options.
        setup, data: what is learned, and from what.
        params: the options of ``cotrain``, those that are None left out.
        output, identity: see ``training.loop.fit``.
        amp: bfloat16 where the device has it.
        workers: processes that prepare images.
        device: where to compute.
    """
    messages, size, seed = setup.messages, params["crop_size"], params["seed"]
    planned = {field.name: params[field.name] for field in fields(Plan) if field.name in params}
    plan = Plan(**planned, amp=amp, select="val_mean_iou" if setup.validate else "")
    view = RandomCrop(
        size,
        (params["scale_min"], params["scale_max"]),
        params["flip"],
        params["color_jitter"],
        params["blur"],
    )
    task = make(setup)
    pictures = DecodedImages(data.paths, messages=messages)
    numbers, failed = usable_numbers(data, pictures, messages)
    messages.say(
        f"training {params['arch']}, {params['method']}, on {about(setup, data, numbers)}, "
        f"{f'views of {size} pixels' if size else 'whole images'}"
    )
    loader = EpochLoader(
        MaskedImages(pictures.__getitem__, data.masks, numbers, len(data.classes), view, seed=seed),
        params["batch_size"],
        seed=seed,
        workers=workers,
        pin_memory=device.type == "cuda",
    )
    if loader.left_out:
        messages.say(
            "each epoch leaves one image out, another each time: a last batch of one cannot be normalised"
        )
    result = fit(task, loader, plan, output=output, identity=identity, device=device, messages=messages)
    return Learned(list(task.trained()), result.history[result.best_epoch], len(numbers), len(failed))


def about(setup: Setup, data: Masked, numbers: list[int]) -> str:
    """What is learned from, in words."""
    return f"the {data.supervision} of {len(numbers)} images, {len(setup.class_names)} classes"


def fitting_crop(
    crop_size: int | None, sizes: np.ndarray, batch_size: int, scale_min: float, scale_max: float
) -> int:
    """Side of the training views: as given, or the longer side that half of the images keep to.

    Args:
        crop_size: pixels; 0: whole images; None: up to a multiple of 32, at most ``LARGEST_CROP``.
        sizes: (N, 2) rows and columns of the images.
        batch_size, scale_min, scale_max: whole images of several sizes cannot be put in one batch.

    Raises:
        UsageError: for that reason.

    Example:
        >>> fitting_crop(None, np.array([[30, 40], [100, 90]]), 8, 1.0, 1.0)
        64
    """
    if crop_size is None:
        longer = sorted(sizes.max(1).tolist())[(len(sizes) - 1) // 2]
        return min(LARGEST_CROP, max(32, -(-longer // 32) * 32))
    if crop_size == 0 and batch_size > 1 and (scale_min != scale_max or (sizes != sizes[0]).any()):
        raise UsageError("whole images (--crop-size 0) of different sizes go one by one: --batch-size 1")
    return crop_size
