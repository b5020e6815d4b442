"""Train a classifier on image-level labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from wsstool.errors import UsageError
from wsstool.family import setting_texts
from wsstool.models.backbones import default_output_stride, input_statistics
from wsstool.models.classifier import Classifier, build_classifier
from wsstool.models.fan_classifier import FanClassifier
from wsstool.models.initial_weights import load_start
from wsstool.models.layers import find_layer
from wsstool.models.weights import Weights
from wsstool.options import takes
from wsstool.registry import ATTENTIONS
from wsstool.runtime import seed_everything
from wsstool.stages.inputs.corruption import corruption_params, open_corruption
from wsstool.stages.inputs.tags import TaggedSource, open_tagged, open_validation, usable_items
from wsstool.stages.networks.whole_tokens import check_training, say_notes
from wsstool.stages.options.trainers.train_cls import TrainClsOptions
from wsstool.stages.train.classifier_training import Lesson, by_probe, by_steps
from wsstool.stages.train.initial_weights import (
    backbone_input,
    backbone_rate,
    init_input,
    read_start,
    with_named_weights,
)
from wsstool.stages.train.run import TrainedNetworks, TrainingRun
from wsstool.stages.train.token_labels import Teacher, check_token_labels, open_teacher
from wsstool.training.images.decoded_images import DecodedImages
from wsstool.types import SILENT, Messages


@takes(TrainClsOptions)
def train_cls(options: TrainClsOptions, *, messages: Messages = SILENT) -> dict[str, Any]:
    """Train a classifier and write its weights; do nothing if they are up to date.

    ``OUTPUT.part`` holds an unfinished run, ``OUTPUT.log.jsonl`` the metrics of each epoch.

    Returns:
        ``output``, ``key``, ``images`` (trained on), ``skipped`` (without tags), ``failed`` (unreadable),
        ``up_to_date``, and the metrics of the epoch that is kept.

    Raises:
        BadInputError: no tags, start weights of another network, another class list in the validation split,
            a teacher without token head or of other classes.
        SomeFailedError: more than ``max_failed`` images are unreadable; the weights are written.
        UsageError, MissingInputError, BusyError, CannotWriteError: see the parts.
    """
    options = with_named_weights(options)
    _check_probe(options)
    check_token_labels(options)
    data = Path(options.data)
    source = open_tagged(
        data, options.split, options.labels, options.class_list, options.images, options.name_list, messages
    )
    corruption = open_corruption(options, messages) if options.unused("corruption") is None else None
    valid = open_validation(
        data, options.val_split, options.labels, options.class_list, source.classes, corruption
    )
    own = _attention_settings(options)
    options = _resolved(options, source)
    start, averaged = (None, True) if options.averaged else read_start(options, messages)
    params = options.key_params(
        settings=setting_texts(own) or None, averaged=averaged, **corruption_params(corruption)
    )
    teacher = open_teacher(options, source.classes)
    inputs = [*source.inputs, *(valid.inputs if valid else ()), *init_input(options.init)]
    inputs += [teacher.source] if teacher else []
    run = TrainingRun("train-cls", "classification", options, params, inputs, messages)
    return run.result(lambda: _trained(run, options, own, source, valid, teacher, start))


def _trained(
    run: TrainingRun,
    options: TrainClsOptions,
    own: Mapping[str, Any],
    source: TaggedSource,
    valid: TaggedSource | None,
    teacher: Teacher | None,
    start: Weights | None,
) -> TrainedNetworks:
    seed_everything(options.seed)
    model = _network(options, source.tags.shape[1], start, run.messages)
    images = DecodedImages(source.paths, messages=run.messages)
    items, skipped = usable_items(source, images, run.messages, negatives=options.negatives)
    lesson = Lesson(run, options, images, items, source)
    if options.probe:
        assert isinstance(model, Classifier)  # check_training refuses class tokens
        state, figures = by_probe(model, lesson)
    else:
        state, figures = by_steps(model, lesson, own, valid, teacher)
    seen = backbone_input(options.normalization, options.arch)
    return TrainedNetworks(
        [state],
        options.arch,
        source.classes,
        source.classes.foreground,
        {"images": len(items), "skipped": skipped, "failed": len(images.failed), **figures},
        {
            "mean": seen["mean"],
            "std": seen["std"],
            "output_stride": options.output_stride,
            "pool": options.pool,
            "dropout": options.dropout,
            "head_bias": options.head_bias,
            "single_label": options.loss == "cross-entropy",
            "image_size": options.image_size,
            **({"token_head": True, "score": options.score} if options.token_head else {}),
        },
    )


def _network(
    options: TrainClsOptions, n_classes: int, start: Weights | None, messages: Messages
) -> Classifier | FanClassifier:
    """Build the classifier with its initial weights and frozen layers."""
    model = build_classifier(
        options.arch,
        n_classes,
        output_stride=options.output_stride,
        pool=options.pool,
        dropout=options.dropout,
        head_bias=options.head_bias,
        token_head=options.token_head,
        drop_path=options.drop_path,
    )
    check_training(
        model,
        probe=options.probe,
        attention=options.attention,
        image_size=options.image_size,
        messages=messages,
    )
    frozen = [] if options.probe else options.freeze or []
    layers = _named(model, frozen)
    if options.init is not None:
        load_start(model, options.init, start)
    elif frozen:
        messages.warn("frozen layers keep their random weights; name initial weights with --init")
    say_notes(model, messages)
    if not options.probe:
        model.freeze(layers, norms=options.freeze_norm)
    return model


def _check_probe(options: TrainClsOptions) -> None:
    if options.probe and (options.init is None or options.pool != "average"):
        raise UsageError("--probe needs initial weights (--init) and --pool average")
    if options.probe and options.intercept and not options.head_bias:
        raise UsageError("--intercept fits the bias of the head and cannot be used with --no-head-bias")


def _resolved(options: TrainClsOptions, source: TaggedSource) -> TrainClsOptions:
    """Return the options with each ``auto`` and None resolved."""
    loss, stride, normalization = options.loss, options.output_stride, options.normalization
    if normalization == "auto" and input_statistics(options.arch) is None:
        normalization = "imagenet"
    tags = source.tags.sum(1)
    if loss == "auto":
        one_tag = (tags == 1) if options.negatives else (tags <= 1)
        loss = "cross-entropy" if one_tag.all() else "soft-margin"
    if options.negatives and loss == "cross-entropy" and (tags == 0).any():
        raise UsageError("--negatives: cross-entropy needs a class in every image; use --loss soft-margin")
    return replace(
        options,
        loss=loss,
        normalization=normalization,
        output_stride=default_output_stride(options.arch) if stride is None else stride,
        backbone_rate=backbone_rate(options),
        freeze=[name for name in options.freeze or () if name != "none"] or None,
        scale=list(options.scale or (1.0,)),
        token_labels=options.token_labels or ("gumbel" if options.teacher else None),
    )


def _attention_settings(options: TrainClsOptions) -> dict[str, Any]:
    if options.attention:
        own = ATTENTIONS.settings(options.attention, options.settings or ())
        attention = ATTENTIONS.load(options.attention)
        attention(torch.zeros(1, 1, 1, 1), torch.zeros(1, 1), 0, **own)  # judges their range
        return own
    if options.settings:
        raise UsageError(
            f"--set {options.settings[0]}: --set sets options of --attention, which is not given"
        )
    return {}


def _named(model: nn.Module, layers: Sequence[str]) -> list[nn.Module]:
    """Return the layers of ``--freeze``; a recipe may name those of another network."""
    try:
        return [find_layer(model, name) for name in layers]
    except UsageError as error:
        raise UsageError(f"--freeze: {error}; --freeze none trains all of them") from None
