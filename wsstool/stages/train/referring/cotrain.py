"""Train networks that read sentences on masks that may be wrong, or on ground truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from wsstool.data.augmentation.whole_images import WholeImages
from wsstool.errors import BadInputError, UsageError
from wsstool.expressions.vocabulary import Vocabulary
from wsstool.family import setting_texts
from wsstool.models.referring.build import describe_referring
from wsstool.registries.segmenters import split_referring
from wsstool.registry import COTRAINERS
from wsstool.stages.inputs.named_objects import NamedObjects
from wsstool.stages.options.trainers.cotrain import CotrainOptions
from wsstool.stages.train.initial_weights import backbone_rate, init_input, read_start, start_normalisation
from wsstool.stages.train.referring.contour import CLASSES
from wsstool.stages.train.referring.networks import NetworkBuilder, network_builder
from wsstool.stages.train.referring.selected import MaskedSentences, open_masked_sentences
from wsstool.stages.train.referring.validation import OverallIou, open_validation, validation_inputs
from wsstool.stages.train.run import TrainedNetworks, TrainingRun
from wsstool.stages.train.segmenter_training import fitting_crop
from wsstool.training.cotraining.segmentation_task import Setup
from wsstool.training.cotraining.sentence_batches import ScaledBatch, SentenceBatches, SentencePixels
from wsstool.training.images.decoded_images import DecodedImages
from wsstool.training.images.sentence_images import NamedObject, SentenceImages
from wsstool.training.plan import parameter_groups
from wsstool.types import Messages


def cotrain_on_sentences(
    options: CotrainOptions, noise_rate: str | float, messages: Messages
) -> dict[str, Any]:
    """Train one network, or two jointly, on the mask of each sentence.

    Args:
        options: those of ``cotrain``; automatic values are resolved here.
        noise_rate: share of wrong labels, or ``auto``.
        messages: receives what is left out.

    Returns:
        ``output``, ``key``, ``supervision``, ``sentences`` and ``images`` (trained on), ``words``,
        ``failed``, ``up_to_date``, and the metrics of the epoch that is kept.

    Raises:
        UsageError: a method or an option for label maps.
        BadInputError: no sentence with a mask, start weights that do not fit. Others: see the parts.
    """
    if options.probe or options.method == "multilayer":
        what = "--probe" if options.probe else "--method multilayer"
        raise UsageError(f"{what} does not apply to {options.arch}, which reads sentences")
    own = COTRAINERS.settings(options.method, options.settings or ())
    start, averaged = read_start(options, messages)
    data = open_masked_sentences(options, messages)
    folder = Path(options.source) if options.source and Path(options.source).is_dir() else None
    valid = open_validation(options, folder, messages)
    size = fitting_crop(options, data.sizes)
    options = replace(options, backbone_rate=backbone_rate(options), split=data.split, crop_size=size)
    vocabulary = Vocabulary.of_sentences(one.text for one in data.sentences)
    builder = network_builder(options, vocabulary, start, messages)
    inputs = [*data.inputs, *builder.inputs, *init_input(options.init, start), *validation_inputs(valid)]
    params = options.key_params(settings=setting_texts(own), noise_rate=noise_rate, averaged=averaged)
    run = TrainingRun("cotrain", "referring", options, params, inputs, messages)
    training = _Training(run, options, data, valid, builder, own, noise_rate)
    return run.result(training.trained)


@dataclass(frozen=True)
class _Training:
    """What a training needs: the run and its options, sentences, validation, networks, method settings."""

    run: TrainingRun
    options: CotrainOptions
    data: MaskedSentences
    valid: NamedObjects | None
    builder: NetworkBuilder
    own: Mapping[str, Any]
    noise_rate: str | float

    def trained(self) -> TrainedNetworks:
        options, data, vocabulary = self.options, self.data, self.builder.vocabulary
        images, objects = self._images_and_objects()
        _, backbone = split_referring(options.arch)
        mean, std = start_normalisation(options.normalization, self.builder.start, backbone=backbone)
        described = {"mean": mean, "std": std, "image_size": options.crop_size}
        check = OverallIou(self.valid, described, vocabulary) if self.valid else None
        first = self.builder(0)
        scales = first.n_outputs
        setup = Setup(
            build=lambda number: SentencePixels(first if number == 0 else self.builder(number)),
            class_names=CLASSES.names,
            background=CLASSES.background,
            layer_weights=options.scale_weight or [1.0] * scales,
            noise_rate=None if isinstance(self.noise_rate, str) else self.noise_rate,
            groups=partial(_groups, options=options),
            validate=partial(_checked, check) if check else None,
            mean=mean,
            std=std,
            messages=self.run.messages,
            form=SentenceBatches(),
        )
        if len(setup.layer_weights) != scales:
            raise UsageError(f"{len(setup.layer_weights)} weights for the losses of {scales} scales")
        task = COTRAINERS.load(options.method)(setup, **self.own)
        views = SentenceImages(
            images.__getitem__,
            objects,
            WholeImages(options.crop_size or 0, options.color_jitter),
            group=min(options.sentences_per_image, options.batch_size),
            masks=data.masks,
            seed=options.seed,
        )
        shown = len(views.sentences)
        self.run.messages.say(
            f"training {options.arch}, {options.method}, on the {data.supervision} of {len(objects)} "
            f"sentences in {shown} images, {len(vocabulary) - 2} words, images of {options.crop_size} pixels"
        )
        result = self.run.fit(
            task,
            views,
            select="val_overall_iou" if check else "",
            batch_size=max(1, options.batch_size // views.group),
            collate=ScaledBatch(scales),
        )
        networks = [one.network for one in task.trained()]
        return TrainedNetworks(
            [network.state_dict() for network in networks],
            networks[0].design.arch,
            CLASSES,
            CLASSES.foreground,
            {
                "supervision": data.supervision,
                "sentences": views.n_sentences,
                "images": shown,
                "words": len(vocabulary) - 2,
                "failed": len(images.failed) + data.failed,
                **result.figures,
            },
            {
                **describe_referring(networks[0], vocabulary.to_list()),
                **described,
                "draws": "object",
                "method": options.method,
                "supervision": data.supervision,
            },
        )

    def _images_and_objects(self) -> tuple[DecodedImages, list[NamedObject]]:
        """Return the images, and every sentence of those that can be read.

        Raises:
            BadInputError: there are fewer than two.
        """
        data, messages, vocabulary = self.data, self.run.messages, self.builder.vocabulary
        images = DecodedImages(data.paths, messages=messages)
        for i, reason in sorted(images.failed.items()):
            messages.warn(f"left out: {data.paths[i].name}: {reason}")
        objects = [
            NamedObject(one.image, one.mask, one.box, vocabulary.encode_all([one.text]))
            for one in data.sentences
            if one.image not in images.failed
        ]
        if len(objects) < 2:
            raise BadInputError(f"training needs at least 2 usable sentences, not {len(objects)}")
        return images, objects


def _checked(check: OverallIou, network: nn.Module) -> dict[str, Any]:
    return check(network.network)  # type: ignore[arg-type]


def _groups(network: nn.Module, options: CotrainOptions) -> list[dict[str, Any]]:
    return parameter_groups(
        network.network,  # type: ignore[arg-type]
        options.backbone_rate,  # type: ignore[arg-type]
        options.bias_rate,
    )
