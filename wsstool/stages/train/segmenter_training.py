"""Train a segmenter by gradient descent (the alternative to the closed-form fit in ``linear_probe``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from wsstool.data.augmentation.crops import RandomCrop
from wsstool.errors import UsageError
from wsstool.stages.inputs.label_maps import LabelMapDataset, usable_numbers
from wsstool.stages.options.trainers.cotrain import CotrainOptions
from wsstool.stages.train.run import TrainingRun
from wsstool.training.cotraining.segmentation_task import CoTraining, Setup
from wsstool.training.images.decoded_images import DecodedImages
from wsstool.training.images.label_map_images import MaskedImages

LARGEST_CROP = 320
"""Largest side of the training crops in pixels, unless ``crop_size`` sets another."""


@dataclass(frozen=True)
class Learned:
    """Result of training: networks, metrics of the epoch kept, and the images used and failed."""

    networks: list[nn.Module]
    figures: dict[str, Any]
    used: int
    failed: int


def by_steps(run: TrainingRun, options: CotrainOptions, task: CoTraining, data: LabelMapDataset) -> Learned:
    """Train by gradient descent.

    Args:
        run: the training run.
        options: its options, resolved.
        task: the networks and how they learn.
        data: the training data.
    """
    size = options.crop_size or 0
    view = RandomCrop(
        size, (options.scale_min, options.scale_max), options.flip, options.color_jitter, options.blur
    )
    images = DecodedImages(data.paths, messages=run.messages)
    numbers, failed = usable_numbers(data, images, run.messages)
    run.messages.say(
        f"training {options.arch}, {options.method}, on {about(task.setup, data, numbers)}, "
        f"{f'crops of {size} pixels' if size else 'whole images'}"
    )
    dataset = MaskedImages(
        images.__getitem__, data.masks, numbers, len(data.classes), view, seed=options.seed
    )
    result = run.fit(task, dataset, select="val_mean_iou" if task.setup.validate else "")
    return Learned(list(task.trained()), result.figures, len(numbers), len(failed))


def about(setup: Setup, data: LabelMapDataset, numbers: list[int]) -> str:
    """Describe the training data in words."""
    return f"the {data.supervision} of {len(numbers)} images, {len(setup.class_names)} classes"


def fitting_crop(options: CotrainOptions, sizes: np.ndarray) -> int:
    """Return the side of the training crops: as given, or so that half of the images fit.

    Args:
        options: ``crop_size`` in pixels; 0: whole images; None: up to a multiple of 32, at most
            ``LARGEST_CROP``.
        sizes: (N, 2) rows and columns of the images.

    Raises:
        UsageError: whole images of several sizes cannot be put in one batch.

    Example:
        >>> fitting_crop(CotrainOptions(), np.array([[30, 40], [100, 90]]))
        64
    """
    if options.crop_size is None:
        longer = sorted(sizes.max(1).tolist())[(len(sizes) - 1) // 2]
        return min(LARGEST_CROP, max(32, -(-longer // 32) * 32))
    differ = options.scale_min != options.scale_max or (sizes != sizes[0]).any()
    if options.crop_size == 0 and options.batch_size > 1 and differ:
        raise UsageError(
            "whole images (--crop-size 0) of different sizes cannot share a batch; use --batch-size 1"
        )
    return options.crop_size
