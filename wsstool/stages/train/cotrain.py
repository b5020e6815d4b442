"""Train a segmenter on pseudo-masks, or its fully supervised reference on ground truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from wsstool.errors import UsageError
from wsstool.family import setting_texts
from wsstool.models.segmenter import NEED_TWO_IMAGES
from wsstool.models.weights import Weights
from wsstool.options import takes
from wsstool.registries.segmenters import FCN_HEADS, reads_sentences, split_arch
from wsstool.registry import COTRAINERS
from wsstool.stages.checks import class_id
from wsstool.stages.inputs.label_maps import LabelMapDataset, open_label_maps, open_validation
from wsstool.stages.options.trainers.cotrain import CotrainOptions
from wsstool.stages.train.fcn_stages import in_stages
from wsstool.stages.train.initial_weights import (
    backbone_rate,
    floored_positions,
    init_input,
    network_builder,
    read_start,
    start_input,
    with_named_weights,
)
from wsstool.stages.train.layer_weights import layer_weights
from wsstool.stages.train.linear_probe import check_probe, solve
from wsstool.stages.train.referring.cotrain import cotrain_on_sentences
from wsstool.stages.train.run import TrainedNetworks, TrainingRun
from wsstool.stages.train.segmenter_training import by_steps, fitting_crop
from wsstool.stages.train.validation import MeanIou
from wsstool.training.cotraining.segmentation_task import Setup
from wsstool.training.plan import parameter_groups
from wsstool.types import SILENT, Messages


@takes(CotrainOptions)
def cotrain(options: CotrainOptions, *, messages: Messages = SILENT) -> dict[str, Any]:
    """Train a segmenter, or a network that reads sentences; do nothing if its weights are up to date.

    ``OUTPUT.part`` holds an unfinished run, ``OUTPUT.log.jsonl`` the metrics of each epoch. A last batch of a
    single image is left out.

    Returns:
        ``output``, ``key``, ``supervision``, ``images`` (trained on), ``failed``, ``up_to_date``, and the
        metrics of the epoch that is kept; with ``stage`` those of the last run, and ``stages``: the weights
        files in order.

    Raises:
        BadInputError: no labelled pixel, initial weights of another network, another class list in ``val``.
        SomeFailedError: more than ``max_failed`` images failed; the weights are written.
        UsageError, MissingInputError, BusyError, CannotWriteError: see the parts.
    """
    options = with_named_weights(options)
    if reads_sentences(options.arch) and not options.stage:
        return cotrain_on_sentences(options, _noise_rate(options.noise_rate), messages)
    if options.expressions is not None:
        raise UsageError(
            f"--arch {options.arch} does not read sentences; --expressions needs a network such as "
            "bcam-mobilenet-v2"
        )
    results = [_train(one, messages) for one in in_stages(options)]
    stages = {"stages": [one["output"] for one in results]} if options.stage else {}
    return {**results[-1], **stages}


@dataclass(frozen=True)
class _Inputs:
    """The training data and the initial weights.

    Attributes:
        data: the training images.
        valid: the images that select the best epoch, or None.
        start: the initial weights.
        averaged: value of ``--init-ema`` for the key.
        seen: normalisation and channel order, see ``start_input``.
        excluded: class without an output, or None.
    """

    data: LabelMapDataset
    valid: LabelMapDataset | None
    start: Weights | None
    averaged: bool
    seen: dict[str, Any]
    excluded: int | None

    @property
    def class_ids(self) -> list[int]:
        """Id of the class of each output."""
        return [i for i in range(len(self.data.classes)) if i != self.excluded]


def _train(options: CotrainOptions, messages: Messages) -> dict[str, Any]:
    """Train one network, or two jointly."""
    own = COTRAINERS.settings(options.method, options.settings or ())
    rate = _noise_rate(options.noise_rate)
    options = replace(
        options,
        arch=_arch(options),
        backbone_rate=backbone_rate(options),
        scale=list(options.scale or (1.0,)),
    )
    inputs = _opened(options, messages)
    options = replace(options, crop_size=fitting_crop(options, inputs.data.sizes[inputs.data.numbers]))
    if options.probe:
        check_probe(options, inputs.valid is not None)
    weights = layer_weights(options.layer_weight, inputs.data.layers)
    params = options.key_params(
        settings=setting_texts(own), noise_rate=rate, layer_weight=weights, averaged=inputs.averaged
    )
    options = replace(options, floored_positions=floored_positions(options, inputs.start))
    read = [*inputs.data.inputs, *(inputs.valid.inputs if inputs.valid else ())]
    read += init_input(options.init, inputs.start)
    run = TrainingRun("cotrain", "segmentation", options, params, read, messages)

    def trained() -> TrainedNetworks:
        setup = _setup(options, inputs, weights, None if isinstance(rate, str) else rate, messages)
        if options.probe:
            learned = solve(run, options, setup, inputs.data)
        else:
            make = partial(COTRAINERS.load(options.method), **own)
            learned = by_steps(run, options, make(setup), inputs.data)
        return TrainedNetworks(
            [network.state_dict() for network in learned.networks],
            options.arch,
            inputs.data.classes,
            inputs.class_ids,
            {
                "supervision": inputs.data.supervision,
                "images": learned.used,
                "failed": learned.failed,
                **learned.figures,
            },
            {
                **{k: v for k, v in inputs.seen.items() if v != "rgb"},
                "output_stride": learned.networks[0].backbone.stride,  # type: ignore[union-attr]
                "width": options.width,
                **({} if options.floored_positions is not False else {"floored_positions": False}),
                "image_size": options.crop_size,
                "method": "probe" if options.probe else options.method,
                "supervision": inputs.data.supervision,
            },
        )

    return run.result(trained)


def _opened(options: CotrainOptions, messages: Messages) -> _Inputs:
    data = open_label_maps(
        options.source,
        options.images,
        options.split,
        options.class_list,
        options.masks,
        options.name_list,
        messages,
    )
    valid = open_validation(options.source, data, options.val, options.val_split, options.class_list)
    excluded = class_id(options.ignore_class, data.classes)
    start, averaged = read_start(options, messages)
    _, backbone = split_arch(options.arch)
    seen = start_input(options.normalization, start, options.init, backbone=backbone)
    return _Inputs(data, valid, start, averaged, seen, excluded)


def _arch(options: CotrainOptions) -> str:
    """Return the canonical name of the network.

    Raises:
        UsageError: an unknown network, or one that does not fit the other options.
    """
    head, backbone = split_arch(options.arch)
    if options.batch_size < 2 and head in NEED_TWO_IMAGES:
        raise UsageError(f"{head} uses batch normalisation and needs --batch-size 2 or more")
    if options.upsampling == "learned" and head not in FCN_HEADS:
        raise UsageError(f"--upsampling learned applies to {', '.join(FCN_HEADS)}, not to {head}")
    return f"{head}-{backbone}"


def _setup(
    options: CotrainOptions,
    inputs: _Inputs,
    weights: list[float],
    noise_rate: float | None,
    messages: Messages,
) -> Setup:
    ids, classes, seen = inputs.class_ids, inputs.data.classes, inputs.seen
    names = [classes.names[i] for i in ids]
    validate = None
    if inputs.valid:
        validate = MeanIou(
            inputs.valid,
            seen["mean"],
            seen["std"],
            options.batch_size,
            options.workers,
            ids=ids,
            excluded=inputs.excluded,
            messages=messages,
        )
    return Setup(
        build=network_builder(options, names, inputs.start, seen["channel_order"], messages),
        class_names=names,
        background=ids.index(classes.background) if classes.background in ids else -1,
        class_ids=ids,
        excluded=inputs.excluded,
        layer_weights=weights,
        layers=inputs.data.layers,
        noise_rate=noise_rate,
        groups=partial(
            parameter_groups,
            backbone_rate=options.backbone_rate,  # type: ignore[arg-type]
            bias_rate=options.bias_rate,
        ),
        validate=validate,
        mean=seen["mean"],
        std=seen["std"],
        messages=messages,
    )


def _noise_rate(text: str) -> str | float:
    """Return ``auto``, or the fraction of wrong labels."""
    try:
        rate = text if text == "auto" else float(text)
    except ValueError:
        rate = -1.0
    if isinstance(rate, float) and not 0 <= rate < 1:
        raise UsageError(f"--noise-rate {text}: give auto, or a number in [0, 1)")
    return rate
