"""Open the network that is scored, and the images of a data folder that it is scored on."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from wsstool import store
from wsstool.data.dataset import Dataset, open_dataset
from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.models.fan_classifier import FanClassifier
from wsstool.models.weights import Weights, load_weights
from wsstool.runtime import pick_device
from wsstool.stages.checks import check_fits_label_map
from wsstool.stages.inputs.tags import in_classes
from wsstool.stages.networks.class_scores import ClassScores
from wsstool.stages.networks.classifier import load_classifier
from wsstool.stages.networks.output_names import own_classes
from wsstool.stages.networks.published_copies import chosen_average
from wsstool.stages.networks.segmenter import open_segmenter
from wsstool.stages.networks.whole_tokens import say_padding
from wsstool.stages.options.scoring import RobustnessOptions
from wsstool.stages.robustness.class_subset import classes_of_outputs, read_subset
from wsstool.stages.robustness.scored_networks import (
    BestClass,
    PixelsOfEachClass,
    ScoredNetwork,
    ScoreOfEachClass,
)
from wsstool.stages.robustness.views import Views
from wsstool.stages.scoring.ground_truth import Truth, find_truth
from wsstool.store.provenance import canonical_json, digest
from wsstool.types import SILENT, ClassList, Messages


@dataclass(frozen=True)
class Subject:
    """A network and the images that it is scored on.

    Attributes:
        network: the network.
        dataset: the images, all with a label or a ground-truth mask.
        sizes: (N, 2) rows and columns of the images; (0, 0) for unreadable ones.
        classes: the class list of the scores.
        labels: (N, C) uint8 image-level labels, or None.
        truth: ground-truth masks, for a segmenter.
        inputs: for the key and the history.
        with_tokens: whether the token head takes part; None: there is none.
        averaged: whether the weights are the moving average, where a published file offers the choice.
    """

    network: ScoredNetwork
    dataset: Dataset
    sizes: np.ndarray
    classes: ClassList
    labels: np.ndarray | None
    truth: Truth | None
    inputs: list[store.Input]
    with_tokens: bool | None = None
    averaged: bool = True

    def mask(self, i: int, size: tuple[int, int]) -> np.ndarray | None:
        """Return the ground-truth mask of image ``i``; see ``Truth.read``."""
        return None if self.truth is None else self.truth.read(i, size)


def open_subject(options: RobustnessOptions, views: Views, messages: Messages) -> Subject:
    """Open the network and the images that have ground truth for it.

    What is measured depends on the whole set and not on the shard, so that shards can be merged.

    Raises:
        UsageError: no weights, or options of the other kind of network.
        BadInputError: another kind of network, other classes than the data's.
        MissingInputError: no image has ground truth.
    """
    if options.weights is None:
        raise UsageError("name the network with --weights")
    loaded = load_weights(options.weights, averaged=options.averaged)
    task = loaded.meta.get("task")
    if task == "contour":
        raise BadInputError(f"'{options.weights}' is a contour network; give a classifier or a segmenter")
    averaged = chosen_average(options, {options.weights: loaded}, messages)
    if task == "segmentation":
        subject = _segmenter(options, options.weights, loaded, messages)
    else:
        subject = _classifier(options, options.weights, loaded, views, messages)
    return replace(subject, averaged=averaged)


def _classifier(
    options: RobustnessOptions, weights: Path, loaded: Weights, views: Views, messages: Messages
) -> Subject:
    if options.truth is not None:
        raise UsageError(f"--truth names masks, and '{weights}' is a classifier; --labels names its tags")
    dataset = _images(options, messages, None if options.subset else own_classes(loaded.meta))
    if dataset.labels is None or not dataset.classes.names:
        raise BadInputError(f"'{dataset.root}' has no tags to score a classifier; name them with --labels")
    if options.subset:  # the classes of the data are not those of the outputs
        model, meta = load_classifier(weights, ClassList(()), weights=loaded)
    else:
        is_named = options.class_list is not None
        model, meta = load_classifier(weights, dataset.classes, is_named=is_named, weights=loaded)
    model = model.to(pick_device(options.device), memory_format=model.backbone.memory_format)  # type: ignore[call-overload, union-attr]
    with_tokens = _with_tokens(options, model, messages)
    if not options.subset:
        known = ClassList(tuple(meta["classes"]), meta["background"])
        dataset = in_classes(dataset, known, f"'{weights}' and '{dataset.root}'")
    assert dataset.labels is not None
    outputs, class_ids = _outputs(options, meta, dataset)
    classifier = ClassScores(model, meta)
    tags = dataset.labels[:, list(dataset.classes.foreground)].sum(1)
    network: ScoredNetwork
    if (tags <= 1).all() and (meta.get("single_label", False) or (tags == 1).all()):
        network = BestClass(classifier, outputs, class_ids, bool(with_tokens))
        dataset = _kept(dataset, np.flatnonzero(tags), "without a tag", messages)
        _check_subset(options, dataset, class_ids)
    elif options.subset:
        raise UsageError("--subset restricts the best class; images of these data have several tags or none")
    else:
        order = [class_ids.index(i) for i in dataset.classes.foreground]
        network = ScoreOfEachClass(classifier, [outputs[k] for k in order], bool(with_tokens))
    dataset = _shard(dataset, options)
    sizes = dataset.sizes()
    say_padding(model, views.input_sizes(sizes), messages)
    inputs = [_data(dataset, labels=_digest(dataset)), _weights(weights, meta)]
    if options.subset:
        inputs.append(store.Input.of_file(options.subset, role="subset"))
    return Subject(network, dataset, sizes, dataset.classes, dataset.labels, None, inputs, with_tokens)


def _segmenter(options: RobustnessOptions, weights: Path, loaded: Weights, messages: Messages) -> Subject:
    for is_given, what in (
        (options.subset, "--subset restricts the best class"),
        (options.crop, "--crop cuts out the square that is classified"),
        (options.score, "--score chooses among logits of the image"),
    ):
        if is_given:
            raise UsageError(f"{what}, and '{weights}' is a segmenter")
    dataset, device = _images(options, SILENT), pick_device(options.device)
    is_named = options.class_list is not None
    trained = open_segmenter(weights, device, dataset.classes, is_named=is_named, loaded=loaded)
    check_fits_label_map(trained.ids)
    truth = find_truth(
        dataset.names,
        dataset.root,
        trained.classes,
        options.truth,
        weights,
        class_list=options.class_list if trained.meta.get("named", True) else None,
    )
    truth.require_known(trained.classes, f"'{weights}'")
    known = [i for i, path in enumerate(truth.paths) if path is not None]
    dataset = _shard(_kept(dataset, known, "without a ground-truth mask", messages), options)
    truth = truth.subset(dataset.names)
    masks = [os.path.relpath(str(path), dataset.root) for path in truth.paths]
    content = store.Input.of_folder(dataset.root, masks).identity["fingerprint"]
    same = dataset.classes.names == trained.classes.names
    return Subject(
        PixelsOfEachClass(trained, device),
        dataset,
        dataset.sizes(),
        trained.classes,
        dataset.labels if same else None,
        truth,
        [_data(dataset, masks=content), _weights(weights, trained.meta)],
    )


def _images(options: RobustnessOptions, messages: Messages, unnamed: ClassList | None = None) -> Dataset:
    return open_dataset(
        options.data,
        split=options.split,
        labels=options.labels,
        class_list=options.class_list,
        unnamed=unnamed,
        name_list=options.name_list,
        messages=messages,
    )


def _outputs(
    options: RobustnessOptions, meta: Mapping[str, Any], dataset: Dataset
) -> tuple[list[int], list[int]]:
    """Return the outputs that may win, and the class of the data that each stands for."""
    ids, names = meta["class_ids"], meta["classes"]
    if options.subset:
        chosen = read_subset(options.subset, len(ids))
        own = [names[i] for i in ids]
        return chosen, classes_of_outputs(own, chosen, dataset.classes, options.subset)
    if unknown := sorted(set(dataset.classes.foreground) - set(ids)):
        raise BadInputError(f"'{options.weights}' has no output for the class '{names[unknown[0]]}'")
    return list(range(len(ids))), list(ids)


def _with_tokens(options: RobustnessOptions, model: nn.Module, messages: Messages) -> bool | None:
    if isinstance(model, FanClassifier) and model.head.aux_head is not None:
        return options.score != "class"
    if options.score:
        messages.warn(f"--score {options.score} does nothing: '{options.weights}' has no token head")
    return None


def _check_subset(options: RobustnessOptions, dataset: Dataset, class_ids: Sequence[int]) -> None:
    assert dataset.labels is not None
    for name, row in zip(dataset.names, dataset.labels, strict=True):
        if options.subset and int(row.argmax()) not in class_ids:
            tag = dataset.classes.names[int(row.argmax())]
            raise BadInputError(f"'{name}' has the tag '{tag}', which '{options.subset}' leaves out")


def _kept(dataset: Dataset, numbers: Sequence[int] | np.ndarray, which: str, messages: Messages) -> Dataset:
    """Return the images that can be scored; the others are counted in a warning."""
    if not len(numbers):
        raise MissingInputError(f"every image in '{dataset.root}' is {which}; there is nothing to score")
    if out := len(dataset) - len(numbers):
        messages.warn(f"left out: {out} images {which}")
    return dataset.subset(numbers)


def _shard(dataset: Dataset, options: RobustnessOptions) -> Dataset:
    return dataset.subset(store.shard_indices(dataset.names, options.shard))


def _data(dataset: Dataset, **more: str) -> store.Input:
    """Describe the images; ``more``: digests of their labels or masks."""
    images = store.Input.of_folder(dataset.root, dataset.names, typed=dataset.typed)
    return replace(images, identity={**images.identity, **more})


def _digest(dataset: Dataset) -> str:
    assert dataset.labels is not None
    return digest(canonical_json([dataset.classes.names, dataset.labels.tolist()]))


def _weights(path: Path, meta: Mapping[str, Any]) -> store.Input:
    return store.Input.of_file(path, role="weights", provenance=meta.get("provenance", ()))
