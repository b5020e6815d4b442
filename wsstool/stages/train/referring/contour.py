"""Train a network that maps what a sentence names: on boxes, or as its reference on ground-truth masks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from wsstool.data.augmentation.whole_images import WholeImages
from wsstool.errors import BadInputError, UsageError
from wsstool.expressions.vocabulary import Vocabulary
from wsstool.models.referring.build import describe_referring
from wsstool.registries.segmenters import split_referring
from wsstool.stages.inputs.named_objects import NamedObjects, open_named_objects
from wsstool.stages.options.trainers.train_contour import TrainContourOptions
from wsstool.stages.train.initial_weights import (
    backbone_rate,
    init_input,
    read_start,
    start_normalisation,
)
from wsstool.stages.train.referring.masks import NamedMasks
from wsstool.stages.train.referring.networks import NetworkBuilder, network_builder
from wsstool.stages.train.referring.validation import OverallIou, open_validation, validation_inputs
from wsstool.stages.train.run import TrainedNetworks, TrainingRun
from wsstool.training.contour_task import Term
from wsstool.training.images.decoded_images import DecodedImages
from wsstool.training.images.sentence_images import NamedObject, SentenceImages, join_groups
from wsstool.training.referring_task import ReferringTask
from wsstool.types import ClassList, Messages

CLASSES = ClassList(("background", "object"), 0)
"""The classes of a network whose sentences name the objects."""

VIEWS = 60_000
"""Sentences of a training run, unless ``epochs`` or ``views`` set another number."""


@dataclass(frozen=True)
class Losses:
    """The losses of a training run: summands, their texts, and the settings for the key."""

    terms: list[Term]
    described: list[str]
    settings: list[str]


def train_on_sentences(options: TrainContourOptions, losses: Losses, messages: Messages) -> dict[str, Any]:
    """Train a network on sentences and the boxes, or masks, of the objects that they name.

    Args:
        options: those of ``train-contour``; automatic values are resolved here.
        losses: the losses.
        messages: receives what is left out.

    Returns:
        ``output``, ``key``, ``supervision``, ``objects``, ``sentences`` and ``images`` (trained on),
        ``words``, ``failed``, ``up_to_date``, and the losses of the epoch that is kept.

    Raises:
        BadInputError: no usable object, no masks for the loss ``mask``, start weights that do not fit.
        UsageError: ``selection``, which has no meaning here.
    """
    if options.selection is not None:
        raise UsageError("--selection does not apply to sentences; train on selected masks with cotrain")
    source = open_named_objects(
        Path(options.data),
        options.expressions,
        split=options.split,
        name_list=options.name_list,
        training=True,
        messages=messages,
    )
    uses_masks = any(term.name == "mask" for term in losses.terms)
    source = _usable(source, only_masks=[term.name for term in losses.terms] == ["mask"], messages=messages)
    valid = open_validation(options, options.data, messages)
    start, averaged = read_start(options, messages)
    options = _resolved(options, source)
    masks = NamedMasks(source) if uses_masks else None
    builder = network_builder(options, Vocabulary.of_sentences(source.sentences), start, messages)
    inputs = [*source.inputs, *([masks.input] if masks else []), *builder.inputs]
    inputs += init_input(options.init, start)
    inputs += validation_inputs(valid)
    params = options.key_params(loss=losses.described, settings=losses.settings or None, averaged=averaged)
    run = TrainingRun("train-contour", "referring", options, params, inputs, messages)
    return run.result(lambda: _Training(run, options, source, losses, masks, valid, builder).trained())


def _usable(source: NamedObjects, *, only_masks: bool, messages: Messages) -> NamedObjects:
    """Return the objects with a box, or if masks alone are learned, those with a mask."""
    what = "mask" if only_masks else "box"
    has = [getattr(row, what) is not None for row in source.rows]
    if not any(has):
        raise BadInputError(f"no object of {source.source} has a {what}, from which to learn")
    if not all(has):
        messages.say(f"left out {has.count(False)} objects of {source.source} without a {what}")
    return source.only(np.array(has, bool))


def _resolved(options: TrainContourOptions, source: NamedObjects) -> TrainContourOptions:
    """Return the options with automatic values resolved."""
    epochs = options.epochs or max(1, round((options.views or VIEWS) / len(source.sentences)))
    return replace(options, epochs=epochs, split=source.split, backbone_rate=backbone_rate(options))


@dataclass(frozen=True)
class _Training:
    """What a training needs: the run and its options, sentences, losses, masks, validation, networks."""

    run: TrainingRun
    options: TrainContourOptions
    source: NamedObjects
    losses: Losses
    masks: NamedMasks | None
    valid: NamedObjects | None
    builder: NetworkBuilder

    @property
    def supervision(self) -> str:
        return "boxes" if self.masks is None else "ground-truth masks"

    def trained(self) -> TrainedNetworks:
        options, vocabulary = self.options, self.builder.vocabulary
        images, objects = images_and_objects(self.source, vocabulary, self.run.messages)
        if self.masks is not None and len(self.losses.terms) == 1:
            objects = self.masks.known(objects)
        _, backbone = split_referring(options.arch)
        mean, std = start_normalisation(options.normalization, self.builder.start, backbone=backbone)
        described = {"mean": mean, "std": std, "image_size": options.crop_size}
        check = OverallIou(self.valid, described, vocabulary) if self.valid else None
        task = ReferringTask(
            self.builder(),
            self.losses.terms,
            mean=mean,
            std=std,
            slack=options.box_slack,
            backbone_rate=options.backbone_rate,  # type: ignore[arg-type]
            scale_weights=options.scale_weight,
            check=check,
        )
        views = SentenceImages(
            images.__getitem__,
            objects,
            WholeImages(options.crop_size, options.color_jitter),
            group=min(options.sentences_per_image, options.batch_size),
            masks=self.masks,
            seed=options.seed,
        )
        shown = len(views.sentences)
        self.run.messages.say(
            f"training {options.arch} on the {self.supervision} of {len(objects)} objects with "
            f"{views.n_sentences} sentences in {shown} images, {len(vocabulary) - 2} words, "
            f"{' + '.join(self.losses.described)}, images of {options.crop_size} pixels"
        )
        result = self.run.fit(
            task,
            views,
            select="val_overall_iou" if check else "",
            batch_size=max(1, options.batch_size // views.group),
            collate=join_groups,
        )
        return TrainedNetworks(
            [result.states["network"]],
            task.network.design.arch,
            CLASSES,
            CLASSES.foreground,
            {
                "supervision": self.supervision,
                "objects": len(objects),
                "sentences": views.n_sentences,
                "images": shown,
                "words": len(vocabulary) - 2,
                "failed": len(images.failed),
                **result.figures,
            },
            {
                **describe_referring(task.network, vocabulary.to_list()),
                **described,
                "draws": "outline" if any(t.name == "zero" for t in self.losses.terms) else "object",
                "supervision": self.supervision,
            },
        )


def images_and_objects(
    source: NamedObjects, vocabulary: Vocabulary, messages: Messages
) -> tuple[DecodedImages, list[NamedObject]]:
    """Return the images and the objects in them that can be used, with encoded sentences.

    Raises:
        BadInputError: there are fewer than two.
    """
    dataset = source.dataset
    images = DecodedImages([dataset.path(i) for i in range(len(dataset))], messages=messages)
    for i, reason in sorted(images.failed.items()):
        messages.warn(f"left out: {dataset.names[i]}: {reason}")
    sizes = dataset.sizes()
    whole = np.stack([0 * sizes[:, 0], 0 * sizes[:, 1], sizes[:, 1], sizes[:, 0]], 1)
    objects = [
        NamedObject(
            int(image),
            number,
            np.array(whole[image] if row.box is None else row.box, np.float32),
            vocabulary.encode_all(row.sentences),
        )
        for number, (row, image) in enumerate(zip(source.rows, source.image_of, strict=True))
        if int(image) not in images.failed
    ]
    if len(objects) < 2:
        raise BadInputError(f"training needs at least 2 usable objects, not {len(objects)}")
    return images, objects
