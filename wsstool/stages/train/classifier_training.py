"""Train a classifier by gradient descent, or fit its head alone in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wsstool.data.augmentation.erasing import RandomErasing
from wsstool.data.augmentation.paired_views import PairedViews
from wsstool.data.augmentation.rand_augment import RandAugment
from wsstool.data.augmentation.transforms import RandomResizedCrop
from wsstool.models.classifier import Classifier
from wsstool.models.fan_classifier import LEAST_SIDE, FanClassifier
from wsstool.registry import ATTENTIONS
from wsstool.stages.inputs.tags import TaggedSource, usable_items
from wsstool.stages.options.trainers.train_cls import TrainClsOptions
from wsstool.stages.train.initial_weights import backbone_input
from wsstool.stages.train.run import TrainingRun
from wsstool.stages.train.token_labels import Teacher, token_terms
from wsstool.training.classification_task import ClassificationTask
from wsstool.training.images.decoded_images import DecodedImages
from wsstool.training.images.tagged_images import TaggedImages
from wsstool.training.mixing import Mixing, check_even
from wsstool.training.tag_probe import probe
from wsstool.types import Messages

Learned = tuple[Mapping[str, Tensor], dict[str, Any]]
"""A state dict and its metrics."""


@dataclass(frozen=True)
class Lesson:
    """The training data.

    Attributes:
        run: the training run.
        options: its options, resolved.
        images: N images.
        items: numbers of the images used.
        source: their tags.
    """

    run: TrainingRun
    options: TrainClsOptions
    images: DecodedImages
    items: list[int]
    source: TaggedSource

    @property
    def tags(self) -> np.ndarray:
        """(M,K) uint8 tags of the items."""
        return self.source.tags[self.items]

    def announce(self, what: str) -> None:
        """Print the network, the images and the classes."""
        split = f" of split {self.source.split!r}" if self.source.split else ""
        self.run.messages.say(
            f"{what} {self.options.arch} on {len(self.items)} images{split}, "
            f"{self.tags.shape[1]} classes, {self.options.loss}"
        )


def by_probe(model: Classifier, lesson: Lesson) -> Learned:
    """Fit the head on pooled features of the frozen backbone, see ``training.tag_probe``."""
    lesson.announce("fitting the head of")
    options = lesson.options
    seen = backbone_input(options.normalization, options.arch)
    right = probe(
        model.to(lesson.run.device, memory_format=torch.channels_last),  # type: ignore[call-overload]
        lesson.images,
        lesson.items,
        torch.from_numpy(lesson.tags).float(),
        mean=seen["mean"],
        std=seen["std"],
        scales=options.scale or (1.0,),
        penalty=options.penalty,
        balanced=options.balanced,
        intercept=options.intercept,
        single_label=options.loss == "cross-entropy",
        messages=lesson.run.messages,
    )
    return model.state_dict(), {"tags_right": round(right, 6)}


def by_steps(
    model: Classifier | FanClassifier,
    lesson: Lesson,
    own: Mapping[str, Any],
    valid: TaggedSource | None,
    teacher: Teacher | None = None,
) -> Learned:
    """Train by gradient descent.

    Args:
        model: with its frozen parts frozen; changed in place.
        lesson: the training data.
        own: settings of the attention.
        valid: images that select the best epoch; None: keep the last.
        teacher: labels the tokens; None: there are no token labels, or the student labels itself.

    Raises:
        UsageError: mixed images, and a batch of odd size.
    """
    options = lesson.options
    seen = backbone_input(options.normalization, options.arch)
    task = ClassificationTask(
        model,
        mean=seen["mean"],
        std=seen["std"],
        loss=options.loss,
        label_smoothing=options.label_smoothing,
        positive_weight=options.positive_weight,
        backbone_rate=options.backbone_rate,  # type: ignore[arg-type]
        attention=partial(ATTENTIONS.load(options.attention), **own) if options.attention else None,
        validation=_validation(valid, model, options.negatives, lesson.run.messages) if valid else None,
        mixing=_mixing(options, len(lesson.items)),
        token_terms=token_terms(options, teacher, lesson.run.device),
        score=options.score if options.token_head else "class",
        longest=2 * options.image_size + 64,
    )
    images = TaggedImages(
        lesson.images,
        lesson.tags,
        lesson.items,
        _view(options),
        paired=options.is_student,
        seed=options.seed,
    )
    lesson.announce("training")
    found = lesson.run.fit(task, images, select="map" if valid else "", drop_last=options.drop_last)
    return found.states["model"], found.figures


def _view(options: TrainClsOptions) -> RandomResizedCrop | PairedViews:
    """Return what draws the training crops."""
    noisy = options.rand_augment > 0 or options.erasing > 0
    crop = RandomResizedCrop(
        options.image_size,
        (options.area, 1.0),
        options.flip,
        options.flip_vertical,
        options.color_jitter,
        random_filter=options.rand_augment > 0 or options.is_student,
    )
    if not (noisy or options.is_student):
        return crop
    return PairedViews(
        crop,
        RandAugment(options.rand_augment) if options.rand_augment else None,
        RandomErasing(options.erasing) if options.erasing else None,
        teacher=options.teacher_view,
    )


def _mixing(options: TrainClsOptions, n: int) -> Mixing | None:
    if not (options.mixup or options.cutmix):
        return None
    check_even(n, options.batch_size, drop_last=options.drop_last)
    return Mixing(options.mixup, options.cutmix, options.seed)


def _validation(
    valid: TaggedSource, model: nn.Module, negatives: bool, messages: Messages
) -> tuple[DecodedImages, list[int], np.ndarray]:
    """Read the validation images; they are seen whole, so that some may be too small for the network."""
    least = LEAST_SIDE if isinstance(model, FanClassifier) else 0
    images = DecodedImages(valid.paths, messages=messages, change=valid.change, least_side=least)
    items, _ = usable_items(valid, images, messages, negatives=negatives)
    return images, items, valid.tags[items]
