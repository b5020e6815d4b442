"""Train a contour network on boxes: one map per object, no mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from wsstool import store
from wsstool.data.augmentation.box_windows import ObjectViews
from wsstool.errors import BadInputError, UsageError
from wsstool.models.contour import ContourNet, build_contour
from wsstool.models.initial_weights import start_network
from wsstool.models.weights import Weights
from wsstool.options import takes
from wsstool.registries.segmenters import reads_sentences
from wsstool.stages.inputs.boxes import BoxDataset, open_box_dataset
from wsstool.stages.networks.whole_tokens import say_notes
from wsstool.stages.options.trainers.train_contour import TrainContourOptions
from wsstool.stages.train.box_loss_terms import loss_terms
from wsstool.stages.train.initial_weights import (
    backbone_rate,
    init_input,
    read_start,
    start_normalisation,
    with_named_weights,
)
from wsstool.stages.train.object_masks import GroundTruthMasks, SelectedMasks
from wsstool.stages.train.referring.contour import Losses, train_on_sentences
from wsstool.stages.train.run import TrainedNetworks, TrainingRun
from wsstool.store.provenance import canonical_json, digest
from wsstool.training.contour_task import ContourTask, Term
from wsstool.training.images.decoded_images import DecodedImages
from wsstool.training.images.object_images import Object, ObjectImages
from wsstool.types import SILENT, Messages

DEFAULT_LOSSES = ("tightness=2", "pairwise=1")
"""Losses that fill the object; with ``zero`` instead of ``pairwise`` the map is its outline."""

FEWEST_EPOCHS = 5
VIEWS = 8000


@takes(TrainContourOptions)
def train_contour(options: TrainContourOptions, *, messages: Messages = SILENT) -> dict[str, Any]:
    """Train a network that maps one object, from boxes alone; do nothing if the weights are up to date.

    ``OUTPUT.part`` holds an unfinished run, ``OUTPUT.log.jsonl`` the metrics of each epoch. The batch norms
    of a backbone with initial weights stay unchanged; ``frozen_stride=4`` saves a tenth of the work and costs
    about a point of IoU on photographs.

    Returns:
        ``output``, ``key``, ``supervision``, ``objects`` and ``images`` (trained on), ``dropped`` (boxes),
        ``failed``, ``up_to_date``, and the losses of the last epoch.

    Raises:
        BadInputError: less than two objects, no masks for the loss ``mask``, start weights that do not fit.
        SomeFailedError: more than ``max_failed`` images are unreadable; the weights are written.
        UsageError, MissingInputError, BusyError, CannotWriteError: see the parts.
    """
    options = with_named_weights(options)
    terms, described, own = loss_terms(options.loss or DEFAULT_LOSSES, options.settings or ())
    learns_masks = any(term.name == "mask" for term in terms)
    if options.selection is not None and not learns_masks:
        raise UsageError("--selection is used only by the loss 'mask'; add --loss mask")
    if reads_sentences(options.arch):
        return train_on_sentences(options, Losses(terms, described, own), messages)
    if options.expressions is not None:
        raise UsageError(
            f"--arch {options.arch} does not read sentences; --expressions needs a network such as "
            f"bcam-{options.arch}"
        )
    view = _view(options)
    source = open_box_dataset(
        Path(options.data),
        boxes=options.boxes,
        box_format=options.box_format,
        split=options.split,
        name_list=options.name_list,
        class_list=options.class_list,
        training=True,
        messages=messages,
    )
    masks = _mask_source(source, options) if learns_masks else None
    start, averaged = read_start(options, messages)
    options = _resolved(options, source)
    params = options.key_params(loss=described, settings=own or None, averaged=averaged)
    inputs = [*source.inputs, *_mask_input(masks), *init_input(options.init, start)]
    run = TrainingRun("train-contour", "contour", options, params, inputs, messages)
    return run.result(lambda: _Training(run, options, source, terms, described, masks, start).trained(view))


def _view(options: TrainContourOptions) -> ObjectViews:
    margins = (options.margin_min, options.margin_max)
    return ObjectViews(options.crop_size, options.window, margins, options.flip, options.color_jitter)


def _resolved(options: TrainContourOptions, source: BoxDataset) -> TrainContourOptions:
    """Return the options with automatic values resolved."""
    epochs = options.epochs
    if epochs is None:
        views = VIEWS if options.views is None else options.views
        epochs = max(FEWEST_EPOCHS, round(views / max(1, int(source.table.counts.sum()))))
    return replace(options, epochs=epochs, split=source.split, backbone_rate=backbone_rate(options))


@dataclass(frozen=True)
class _Training:
    """What a training needs: the run and its options, boxes, losses and their texts, masks, start weights."""

    run: TrainingRun
    options: TrainContourOptions
    source: BoxDataset
    terms: list[Term]
    described: list[str]
    masks: GroundTruthMasks | SelectedMasks | None
    start: Weights | None

    @property
    def supervision(self) -> str:
        if self.masks is None:
            return "boxes"
        return "selected masks" if isinstance(self.masks, SelectedMasks) else "ground-truth masks"

    def trained(self, view: ObjectViews) -> TrainedNetworks:
        options, table = self.options, self.source.table
        images, objects = self._images_and_objects()
        mean, std = start_normalisation(options.normalization, self.start, backbone=options.arch)
        network = self._network(len(table.classes))
        shown = len({one.image for one in objects})
        self.run.messages.say(
            f"training {options.arch} on the {self.supervision} of {len(objects)} objects in {shown} "
            f"images, {' + '.join(self.described)}, crops of {options.crop_size} pixels"
        )
        task = ContourTask(
            network,
            self.terms,
            mean=mean,
            std=std,
            slack=options.box_slack,
            backbone_rate=options.backbone_rate,  # type: ignore[arg-type]
        )
        views = ObjectImages(images.__getitem__, objects, view, masks=self.masks, seed=options.seed)
        result = self.run.fit(task, views)
        return TrainedNetworks(
            [result.states["network"]],
            options.arch,
            table.classes,
            table.classes.foreground,
            {
                "supervision": self.supervision,
                "objects": len(objects),
                "images": shown,
                "dropped": dict(table.dropped),
                "failed": len(images.failed),
                **result.figures,
            },
            {
                "mean": mean,
                "std": std,
                "width": options.width,
                "condition": options.condition,
                "condition_size": len(table.classes) if options.condition == "class" else 0,
                "window": options.window,
                "image_size": options.crop_size,
                "draws": "outline" if any(term.name == "zero" for term in self.terms) else "object",
                "supervision": self.supervision,
            },
        )

    def _images_and_objects(self) -> tuple[DecodedImages, Sequence[Object]]:
        """Return the images and the objects in them that can be used.

        Raises:
            BadInputError: there are fewer than two.
        """
        dataset, messages = self.source.dataset, self.run.messages
        images = DecodedImages([dataset.path(i) for i in range(len(dataset))], messages=messages)
        for i, reason in sorted(images.failed.items()):
            messages.warn(f"left out: {dataset.names[i]}: {reason}")
        objects = [one for one in self.source.objects() if one.image not in images.failed]
        if self.masks is not None:
            known = self.masks.known(objects)
            if not known:
                raise BadInputError("there are no masks for the loss 'mask'")
            if len(self.terms) == 1 and len(known) < len(objects):
                messages.say(f"left out {self.masks.lacking(objects)}")
                objects = known
        if len(objects) < 2:
            raise BadInputError(f"training needs at least 2 usable boxes, not {len(objects)}")
        return images, objects

    def _network(self, n_classes: int) -> ContourNet:
        options = self.options
        torch.manual_seed(options.seed)
        size = n_classes if options.condition == "class" else 0
        network = build_contour(
            options.arch, width=options.width, condition=options.condition, condition_size=size
        )
        if self.start is not None:
            start_network(network, self.start.state_dict, f"'{options.init}'")
            network.freeze_start(options.frozen_stride)
        say_notes(network, self.run.messages)
        if options.backbone_rate == 0:
            network.freeze_backbone()
        return network


def _mask_source(source: BoxDataset, options: TrainContourOptions) -> GroundTruthMasks | SelectedMasks:
    if options.selection is not None:
        return SelectedMasks(options.selection, source.dataset, source.table.boxes, options.min_score)
    if not source.table.has_truth:
        raise BadInputError(
            f"{source.table.source} has no masks for the loss 'mask'; name a selection file with --selection"
        )
    return GroundTruthMasks(source.table)


def _mask_input(masks: GroundTruthMasks | SelectedMasks | None) -> list[store.Input]:
    """Return the masks as an input of the run if they are used; ground truth is identified by content."""
    if isinstance(masks, SelectedMasks):
        return [masks.input]
    if masks is None:
        return []
    return [store.Input("truth", {"fingerprint": digest(canonical_json(masks.table.shapes))})]
