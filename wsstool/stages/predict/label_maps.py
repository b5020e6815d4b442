"""Label maps or class probabilities of images by a trained segmenter, streamed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wsstool import store
from wsstool.data.class_match import are_placeholders, listed
from wsstool.data.dataset import Dataset, open_dataset
from wsstool.errors import BadInputError, UsageError
from wsstool.family import setting_texts
from wsstool.memory import say_peak
from wsstool.models.class_probabilities import class_probabilities, on_grid
from wsstool.models.weights import Weights, load_weights
from wsstool.parallel import map_in_threads
from wsstool.registry import DENSE
from wsstool.runtime import pick_device
from wsstool.stages.checks import check_fits_label_map
from wsstool.stages.inputs.corruption import ImageCorruption, corruption_params, open_corruption
from wsstool.stages.inputs.image_batches import Batch, dataset_batches
from wsstool.stages.inputs.tags import in_classes
from wsstool.stages.inputs.untagged import open_classes
from wsstool.stages.inputs.windows import (
    LargeImage,
    in_windows,
    picture_sizes,
    scale_of,
)
from wsstool.stages.networks.output_names import own_classes
from wsstool.stages.networks.published_copies import chosen_average
from wsstool.stages.networks.segmenter import OpenedSegmenter, open_segmenter
from wsstool.stages.networks.sight import say_windows
from wsstool.stages.networks.whole_tokens import say_padding, without_large, without_small
from wsstool.stages.options.predict import LabelMapOptions
from wsstool.stages.predict.classifier_gate import Gate, open_gate
from wsstool.stages.predict.prediction_files import (
    MAP_STRIDE,
    mask_header,
    probability_header,
    probability_payload,
)
from wsstool.stages.predict.windows import over_windows
from wsstool.stages.records import Payload, create, per_image, write_all
from wsstool.stages.refiners import Refiner, find_refiner
from wsstool.store.provenance import canonical_json, digest
from wsstool.types import ClassList, Messages


def predict_label_maps(options: LabelMapOptions, messages: Messages) -> dict[str, Any]:
    """Segment every image and write a ``mask`` file, or with ``probabilities`` a ``cam`` file.

    Returns:
        ``images``, ``failed`` and ``key``.

    Raises:
        BadInputError: weights of a classifier, or of other classes than the data's labels; a gate that is no
            classifier or has other classes.
        UsageError: options that exclude each other. Others: see the parts.

    Notes:
        With ``targets="labels"``, an image without labels in a set without background may have every class.
        The gate looks at the image as it is, once, whatever ``scale`` and ``flip`` are.
    """
    if options.refine and options.probabilities:
        raise UsageError(
            "--refine applies to label maps; with --probabilities, the network output is written unrefined"
        )
    refiner, own = find_refiner(options.refine, options.settings, messages, of_probabilities=True)
    files = [options.weights, *([options.gate] if options.gate else [])]
    read = {path: load_weights(path, averaged=options.averaged) for path in files}
    dataset = _images(options, own_classes(read[options.weights].meta), messages)
    dataset = dataset.subset(store.shard_indices(dataset.names, options.shard))
    corruption = open_corruption(options, messages, needs_still_objects=True)
    segmenter = _open(options, read, dataset.classes, messages)
    trained, ids = segmenter.trained, segmenter.trained.ids
    check_fits_label_map(ids)
    dataset = _in_classes(options, dataset, trained.classes, messages)
    at = scale_of(options)
    sizes = picture_sizes(dataset, at)
    large = in_windows(options.window, sizes)
    over = over_windows(options, multiple=trained.input_multiple, scales=segmenter.scales)
    say_padding(trained.networks[0], sizes, messages)
    allowed = _allowed(options, dataset, trained)
    params = options.key_params(
        scale=list(segmenter.scales),
        settings=setting_texts(own),
        arch=trained.meta["arch"] if options.arch else None,
        averaged=segmenter.averaged,
        **corruption_params(corruption),
    )
    if options.gate:
        params |= {"gate_threshold": options.gate_threshold, "gate_form": options.gate_form}
    inputs = _inputs(options, dataset, segmenter, allowed, corruption)
    if options.probabilities:
        header = probability_header(params, inputs, dataset, trained.classes, sizes, allowed, ids)
    else:
        header = mask_header(params, inputs, dataset, trained.classes, sizes)

    def results(numbers: list[int], pixels: list[np.ndarray]) -> Iterable[Payload]:
        probs = segmenter(pixels, allowed[numbers])
        if options.probabilities:
            maps = on_grid(probs, MAP_STRIDE).cpu().numpy()
            return [probability_payload(one[allowed[i]]) for i, one in zip(numbers, maps, strict=True)]
        if refiner is None:
            best = probs.argmax(dim=1).cpu().numpy()
            return [Payload(ids[one].astype(np.uint8)[None]) for one in best]
        scores = zip(probs.cpu().numpy(), allowed[numbers], pixels, strict=True)
        return map_in_threads(lambda one: _refined(refiner, ids, *one), scores, options.workers)

    def result_of_large(i: int, image: LargeImage) -> Payload:
        if options.probabilities:
            return over.probabilities(image, lambda pixels: _coarse(segmenter, allowed[i], pixels))
        if refiner is None:
            return over.label_map(image, lambda pixels: segmenter(pixels, allowed[[i] * len(pixels)]), ids)
        return over.label_map(
            image, lambda pixels: _refined_scores(segmenter, refiner, allowed[i], pixels), ids
        )

    with create(header, options, messages) as writer:
        images = dataset_batches(
            dataset, sizes, options.batch_size, options.workers, writer.start, corruption, large, at
        )
        left = large & (np.arange(len(large)) >= writer.start)
        if left.any():
            say_windows(over.windows, sizes[left], segmenter.raw, segmenter.device, messages)
        found = per_image(segmenter.large_enough(images), results, writer.start, result_of_large)
        write_all(writer, found, messages, "predictions")
        if left.any():
            say_peak(messages)
    return {"images": len(header), "failed": writer.failed, "key": header.key}


def _images(options: LabelMapOptions, unnamed: ClassList | None, messages: Messages) -> Dataset:
    """Return the images; their labels must be readable only if they decide.

    ``unnamed``: the classes of tags without names, see ``open_dataset``.
    """
    data, split, labels, class_list = options.data, options.split, options.labels, options.class_list
    if options.targets == "labels":
        return open_dataset(
            data,
            split=split,
            labels=labels,
            class_list=class_list,
            unnamed=unnamed,
            name_list=options.name_list,
            messages=messages,
        )
    # the weights name the classes, so there is nothing to say about those of the labels
    dataset = open_classes(
        data,
        split=split,
        labels=labels,
        class_list=class_list,
        unnamed=unnamed,
        needs_classes=False,
        name_list=options.name_list,
    )
    if dataset.unread:
        messages.warn(dataset.unread)
    return dataset


@dataclass(frozen=True)
class _Segmenter:
    """A segmenter on its device, and how it is run over images."""

    trained: OpenedSegmenter
    gate: Gate | None
    device: torch.device
    scales: tuple[float, ...]
    flip: bool
    averaged: bool

    def large_enough(self, batches: Iterable[Batch]) -> Iterable[Batch]:
        """Replace images that are too small for a network by an error."""
        batches = without_small(batches, self.trained.networks[0], self.scales)
        return without_large(without_small(batches, self.gate.classifier)) if self.gate else batches

    def raw(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) class probabilities of (B, 3, H, W) float, without gate and flip."""
        trained = self.trained
        return class_probabilities(trained.networks, x, scales=self.scales, stride=trained.input_multiple)

    def __call__(self, pixels: list[np.ndarray], allowed: np.ndarray) -> torch.Tensor:
        """(B, C, H, W) class probabilities of images of equal size; ``allowed``: (B, C) bool."""
        batch = torch.from_numpy(np.stack(pixels)).movedim(-1, 1).to(self.device)
        may, factors = torch.from_numpy(allowed).to(self.device), None
        if self.gate:
            may, factors = self.gate(batch, may)
        return self.trained.probabilities(
            batch, allowed=may, factors=factors, scales=self.scales, flip=self.flip
        )


def _open(
    options: LabelMapOptions, read: dict[Path, Weights], listed: ClassList, messages: Messages
) -> _Segmenter:
    """Open the segmenter of the weights and its gate."""
    device, is_named = pick_device(options.device), options.class_list is not None
    averaged = chosen_average(options, read, messages)
    trained = open_segmenter(
        options.weights,
        device,
        listed,
        ensemble=options.ensemble,
        is_named=is_named,
        arch=options.arch,
        loaded=read[options.weights],
    )
    if what := trained.meta.get("what"):
        unused = ", ".join(trained.meta.get("unused", ()))
        messages.say(f"'{options.weights}' is {what}" + (f"; unused entries: {unused}" if unused else ""))
    if options.dense:
        dense = DENSE.load(options.dense)
        trained = replace(trained, networks=[dense(network) for network in trained.networks])
    gate = None
    if options.gate:
        gate = open_gate(
            options.gate,
            trained.names,
            device,
            listed,
            threshold=options.gate_threshold,
            form=options.gate_form,
            is_named=is_named,
            weights=read[options.gate],
        )
    return _Segmenter(trained, gate, device, tuple(options.scale or (1.0,)), options.flip, averaged)


def _in_classes(
    options: LabelMapOptions, dataset: Dataset, classes: ClassList, messages: Messages
) -> Dataset:
    """Return the data set with its labels in the class list of the weights, without any if they do not fit.

    Raises:
        BadInputError: they do not fit, and the labels decide which classes may occur.
    """
    own = dataset.classes
    if own.names and own.names != classes.names and not are_placeholders(own):
        messages.say(
            f"the predictions have the classes of '{options.weights}' ({listed(classes)}), those of "
            f"'{dataset.root}' are {listed(own)}; they are matched by name"
        )
    try:
        return in_classes(dataset, classes, f"'{options.weights}' and '{dataset.root}'")
    except BadInputError:
        if options.targets == "labels":
            raise
        return replace(dataset, labels=None)


def _allowed(options: LabelMapOptions, dataset: Dataset, trained: OpenedSegmenter) -> np.ndarray:
    """Return (N, C) bool: the outputs allowed in each image."""
    classes = trained.classes
    if options.targets == "all":
        return np.ones((len(dataset), len(trained.ids)), bool)
    if dataset.labels is None:
        raise UsageError(
            f"'{dataset.root}' has no image-level labels; use --targets all, or name a label file with "
            "--labels"
        )
    tagged = dataset.labels.astype(bool)
    if classes.background >= 0:
        tagged[:, classes.background] = True
    allowed = tagged[:, trained.ids]
    allowed[~allowed.any(axis=1)] = True
    return allowed


def _inputs(
    options: LabelMapOptions,
    dataset: Dataset,
    segmenter: _Segmenter,
    allowed: np.ndarray,
    corruption: ImageCorruption | None,
) -> list[store.Input]:
    """Return the inputs of the predictions, for the key and the history."""
    meta, names = segmenter.trained.meta, segmenter.trained.classes.names
    inputs = [
        store.Input.of_folder(dataset.root, dataset.names, typed=dataset.typed),
        store.Input.of_file(options.weights, role="weights", provenance=meta.get("provenance", ())),
    ]
    if options.gate and segmenter.gate:
        inputs.append(store.Input.of_file(options.gate, role="gate", provenance=segmenter.gate.provenance))
    if not meta.get("named", True):  # the names come from elsewhere
        inputs.append(store.Input("classes", {"fingerprint": digest(canonical_json(list(names)))}))
    if options.targets == "labels":  # the tags decide, whatever file they stand in
        tags = digest(canonical_json([names, allowed.astype(int).tolist()]))
        inputs.append(store.Input("tags", {"fingerprint": tags}))
    return inputs + (corruption.inputs if corruption else [])


def _coarse(segmenter: _Segmenter, allowed: np.ndarray, pixels: list[np.ndarray]) -> Iterator[torch.Tensor]:
    """Yield the probabilities of the K allowed outputs in windows of one image, (K, h, w) each."""
    for one in on_grid(segmenter(pixels, allowed[None].repeat(len(pixels), 0)), MAP_STRIDE):
        yield one[torch.from_numpy(allowed).to(one.device)]


def _refined_scores(
    segmenter: _Segmenter, refiner: Refiner, allowed: np.ndarray, pixels: list[np.ndarray]
) -> Iterator[torch.Tensor]:
    """Yield the refined scores of windows of one image, (C, h, w) each, 0 for outputs that cannot win."""
    for probs, image in zip(
        segmenter(pixels, allowed[None].repeat(len(pixels), 0)).cpu().numpy(), pixels, strict=True
    ):
        chosen = _possible(probs, allowed)
        scores = np.zeros_like(probs)
        scores[chosen] = refiner(probs[chosen], image)
        yield torch.from_numpy(scores)


def _possible(probs: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """(C,) bool of (C, H, W) probabilities: classes below 1 % everywhere are not worth refining."""
    largest = probs.max(axis=(1, 2))
    return allowed & (largest >= min(0.01, largest.max()))


def _refined(
    refiner: Refiner, ids: np.ndarray, probs: np.ndarray, allowed: np.ndarray, image: np.ndarray
) -> Payload:
    """(1, H, W) uint8 from (C, H, W) probabilities."""
    chosen = _possible(probs, allowed)
    return Payload(ids[chosen][refiner(probs[chosen], image).argmax(axis=0)].astype(np.uint8)[None])
