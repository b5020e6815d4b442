"""Fit a linear segmentation head in closed form on frozen features."""

from __future__ import annotations

import torch

from wsstool.errors import UsageError
from wsstool.models.heads.plain import Segmenter
from wsstool.stages.inputs.label_maps import LabelMapDataset, usable_numbers
from wsstool.stages.options.trainers.cotrain import CotrainOptions
from wsstool.stages.train.run import TrainingRun
from wsstool.stages.train.segmenter_training import Learned, about
from wsstool.training.cotraining.segmentation_task import Setup
from wsstool.training.images.decoded_images import DecodedImages
from wsstool.training.pixel_probe import cells, outputs_of, pixel_probe


def check_probe(options: CotrainOptions, has_validation: bool) -> None:
    """Raise UsageError for options that do not fit a probe."""
    if not options.arch.startswith("linear-") or options.init is None:
        raise UsageError("--probe needs --arch linear-BACKBONE and initial weights (--init)")
    if has_validation:
        raise UsageError("--probe has no epochs to select from; leave out --val and --val-split")


def solve(run: TrainingRun, options: CotrainOptions, setup: Setup, data: LabelMapDataset) -> Learned:
    """Fit the linear head; return the network and the fraction of labels that it reproduces."""
    images = DecodedImages(data.paths, messages=run.messages)
    numbers, failed = usable_numbers(data, images, run.messages)
    run.messages.say(f"fitting {options.arch} on {about(setup, data, numbers)}")
    network: Segmenter = setup.build(0).to(run.device, memory_format=torch.channels_last)  # type: ignore[assignment, call-overload]
    features, shares = cells(
        network,
        images.__getitem__,
        data.masks,
        numbers,
        layer_weights=setup.layer_weights,
        outputs=outputs_of(setup.class_ids or range(len(setup.class_names))),
        mean=setup.mean,
        std=setup.std,
        scales=options.scale or (1.0,),
        seed=options.seed,
        messages=run.messages,
    )
    right = pixel_probe(network, features, shares, penalty=options.penalty)
    figures = {"cells": len(features), "pixels_right": round(right, 6)}
    return Learned([network], figures, len(numbers), len(failed))
