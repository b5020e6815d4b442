"""The two ways of train-cls: a classifier step by step, or its head alone, exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wsstool.data.augmentation.transforms import RandomResizedCrop
from wsstool.models.classifier import Classifier
from wsstool.registry import ATTENTIONS
from wsstool.stages.inputs.tags import TaggedSource, usable_items
from wsstool.training.classification_task import ClassificationTask
from wsstool.training.epoch_loader import EpochLoader
from wsstool.training.images.decoded_images import DecodedImages
from wsstool.training.images.tagged_images import TaggedImages
from wsstool.training.loop import fit
from wsstool.training.plan import Plan
from wsstool.training.tag_probe import probe
from wsstool.types import Messages

Learned = tuple[Mapping[str, Tensor], dict[str, Any]]
"""A state dict, and the figures that belong to it."""


@dataclass(frozen=True)
class Lesson:
    """What is learned from.

    Args:
        pictures: N images.
        items: numbers of those that are used.
        tags: (M,K) uint8, those of the items.
        mean, std: of the input channels.
        device: where to compute.
        messages: told what happens.
        about: the above in words, for messages.
    """

    pictures: DecodedImages
    items: list[int]
    tags: np.ndarray
    mean: list[float]
    std: list[float]
    device: torch.device
    messages: Messages
    about: str = ""


def by_probe(model: Classifier, lesson: Lesson, params: Mapping[str, Any]) -> Learned:
    """Fit the head on pooled features of the frozen backbone, see ``training.tag_probe``.

    Args:
        model: with start weights; changed in place.
        lesson: see there.
        params: the options of ``train_cls`` that count for a probe.
    """
    lesson.messages.say(f"fitting the head of {params['arch']} on {lesson.about}")
    right = probe(
        model.to(lesson.device, memory_format=torch.channels_last),  # type: ignore[call-overload]
        lesson.pictures,
        lesson.items,
        torch.from_numpy(lesson.tags).float(),
        mean=lesson.mean,
        std=lesson.std,
        scales=params["scale"],
        penalty=params["penalty"],
        balanced=params["balanced"],
        intercept=params["intercept"],
        single_label=params["loss"] == "cross-entropy",
        messages=lesson.messages,
    )
    return model.state_dict(), {"tags_right": round(right, 6)}


def by_steps(
    model: Classifier,
    lesson: Lesson,
    params: Mapping[str, Any],
    *,
    attention: Callable[[Tensor, Tensor, int], Tensor] | None,
    valid: TaggedSource | None,
    output: Path,
    identity: str,
    amp: bool,
    workers: int,
) -> Learned:
    """Train by gradient descent, from where an interrupted run of the same ``identity`` stopped.

    Args:
        model: its frozen parts frozen; changed in place.
        lesson: see there.
        params: the options of ``train_cls`` that count for step-wise training.
        attention: see ``ClassificationTask``.
        valid: images that choose the epoch, or None for the last.
        output, identity: see ``training.loop.fit``.
        amp: bfloat16 where the device has it.
        workers: processes that prepare images.
    """
    seed, size = params["seed"], params["image_size"]
    task = ClassificationTask(
        model,
        mean=lesson.mean,
        std=lesson.std,
        loss=params["loss"],
        label_smoothing=params["label_smoothing"],
        positive_weight=params["positive_weight"],
        backbone_rate=params["backbone_rate"],
        attention=attention,
        validation=_validation(valid, lesson.messages) if valid else None,
        longest=2 * size + 64,
    )
    view = RandomResizedCrop(
        size, (params["area"], 1.0), params["flip"], params["flip_vertical"], params["color_jitter"]
    )
    loader = EpochLoader(
        TaggedImages(lesson.pictures, lesson.tags, lesson.items, view, seed=seed),
        params["batch_size"],
        seed=seed,
        workers=workers,
        drop_last=params["drop_last"],
        pin_memory=lesson.device.type == "cuda",
    )
    planned = {field.name: params[field.name] for field in fields(Plan) if field.name in params}
    plan = Plan(**planned, amp=amp, select="map" if valid else "")
    lesson.messages.say(f"training {params['arch']} on {lesson.about}")
    result = fit(
        task,
        loader,
        plan,
        output=output,
        identity=identity,
        device=lesson.device,
        messages=lesson.messages,
    )
    best = result.history[result.best_epoch]
    return result.states["model"], {k: v for k, v in best.items() if k != "seconds"}


def attention_of(name: str | None, own: Mapping[str, Any]) -> Callable[[Tensor, Tensor, int], Tensor] | None:
    """The attention of that name with its own options, or None."""
    return partial(ATTENTIONS.load(name), **own) if name else None


def _validation(valid: TaggedSource, messages: Messages) -> tuple[DecodedImages, list[int], np.ndarray]:
    pictures = DecodedImages(valid.paths, messages=messages)
    items, _ = usable_items(valid, pictures, messages)
    return pictures, items, valid.tags[items]
