"""Open the network of ``cam``, trained or an image tower with class vectors, and its data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from wsstool import store
from wsstool.data.dataset import Dataset, open_dataset
from wsstool.data.formats.class_vectors import read_class_vectors
from wsstool.models.weights import load_weights
from wsstool.pretrained.folder import named_weights
from wsstool.runtime import pick_device
from wsstool.stages.inputs.tags import in_classes
from wsstool.stages.networks.classifier import load_classifier
from wsstool.stages.networks.output_names import described_classes, own_classes
from wsstool.stages.networks.published_copies import chosen_average
from wsstool.stages.networks.text_classifier import classes_of_vectors, text_classifier
from wsstool.stages.options.cam import CamOptions
from wsstool.types import ClassList, Messages


@dataclass(frozen=True)
class CamNetwork:
    """A network for class maps, and the images that it maps.

    Attributes:
        model: on its device, in eval mode.
        meta: its description, see ``load_classifier``.
        dataset: with its labels in the columns of the network's class list.
        inputs: the files of the network, for the key and the history.
        averaged: value of ``--ema`` for the key.
    """

    model: nn.Module
    meta: dict[str, Any]
    dataset: Dataset
    inputs: list[store.Input]
    averaged: bool

    @property
    def classes(self) -> ClassList:
        return described_classes(self.meta)


def open_cam_network(options: CamOptions, messages: Messages) -> CamNetwork:
    """Open the network that the options name, and the data set.

    Raises:
        MissingInputError: no such file.
        UsageError: the options do not name the network that the method needs.
        BadInputError: not a classifier; other classes than those of the data; see ``tower_backbone``.
    """
    options.check_network()
    return (_tower if options.is_text else _trained)(options, messages)


def _trained(options: CamOptions, messages: Messages) -> CamNetwork:
    path = options.weights
    assert path is not None
    loaded = load_weights(path, averaged=options.averaged)
    dataset = _dataset(options, own_classes(loaded.meta), messages)
    averaged = chosen_average(options, {path: loaded}, messages)
    model, meta = load_classifier(
        path, dataset.classes, is_named=options.class_list is not None, weights=loaded
    )
    file = store.Input.of_file(path, role="weights", provenance=meta.get("provenance", ()))
    return _opened(options, model, meta, dataset, [file], averaged, f"'{path}' and '{dataset.root}'")


def _tower(options: CamOptions, messages: Messages) -> CamNetwork:
    assert options.class_vectors and options.init and options.arch
    vectors = read_class_vectors(options.class_vectors)
    path = named_weights(options.init, options.arch)
    loaded = load_weights(path, averaged=options.averaged)
    dataset = _dataset(options, classes_of_vectors(vectors), messages)
    averaged = chosen_average(options, {path: loaded}, messages)
    what = f"'{options.class_vectors}' and '{dataset.root}'"
    model, meta = text_classifier(options.arch, loaded, path, vectors, dataset.classes, what)
    files = [
        store.Input.of_file(path, role="init"),
        store.Input.of_file(options.class_vectors, role="class-vectors"),
    ]
    return _opened(options, model, meta, dataset, files, averaged, what)


def _dataset(options: CamOptions, unnamed: ClassList | None, messages: Messages) -> Dataset:
    return open_dataset(
        options.data,
        split=options.split,
        labels=options.labels,
        class_list=options.class_list,
        unnamed=unnamed,
        name_list=options.name_list,
        messages=messages,
    )


def _opened(
    options: CamOptions,
    model: nn.Module,
    meta: dict[str, Any],
    dataset: Dataset,
    inputs: list[store.Input],
    averaged: bool,
    what: str,
) -> CamNetwork:
    """Move the model to its device, and match the labels with its classes; ``what``: see ``in_classes``."""
    dataset = in_classes(dataset, described_classes(meta), what)
    model = model.to(pick_device(options.device), memory_format=model.backbone.memory_format)  # type: ignore[call-overload, union-attr]
    return CamNetwork(model, meta, dataset, inputs, averaged)
