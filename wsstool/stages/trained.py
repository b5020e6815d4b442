"""A trained segmenter: its networks, what it says about itself, its classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from wsstool.data.dataset import Dataset
from wsstool.data.formats.file_name import BCSS_CLASSES, LUAD_CLASSES
from wsstool.errors import BadInputError
from wsstool.models.weights import build_model, load_state, load_weights
from wsstool.types import ClassList

PUBLISHED_SETS = {"luad": LUAD_CLASSES, "bcss": BCSS_CLASSES}
"""What the name of a published file says -> its classes in order."""


@dataclass(frozen=True)
class Trained:
    """What a segmenter's weights file holds.

    Attributes:
        networks: one, or two of an ensemble, in eval mode on their device.
        meta: the description in the file.
        classes: the class list.
        ids: (C,) class id of each output.
    """

    networks: list[nn.Module]
    meta: dict[str, Any]
    classes: ClassList
    ids: np.ndarray

    @property
    def input_multiple(self) -> int:
        """Views are padded to a multiple of so many pixels."""
        return int(self.networks[0].input_multiple)  # type: ignore[arg-type]

    @property
    def names(self) -> tuple[str | None, ...]:
        """What each output is called; None for a background."""
        known = self.classes.background
        return tuple(None if i == known else self.classes.names[i] for i in self.ids.tolist())


def open_segmenter(
    weights: Path, device: torch.device, dataset: Dataset, *, ensemble: bool = False, is_named: bool = False
) -> Trained:
    """The segmenter of a weights file.

    Args:
        weights: the file.
        device: where the networks go.
        dataset, is_named: where a published file has the names of its classes from, see ``named_outputs``.
        ensemble: both networks.

    Raises:
        BadInputError: a classifier, weights that do not fit, one network where two are asked for, or a class
            list of another length.
        MissingInputError: no such file.
    """
    loaded = load_weights(weights)
    if loaded.meta.get("task", "segmentation") != "segmentation":
        raise BadInputError(
            f"'{weights}' is a classifier; predict reads a segmenter, which 'wsstool cotrain' makes"
        )
    states = [loaded.state_dict]
    if ensemble:
        if loaded.state_dict_2 is None:
            raise BadInputError(
                f"'{weights}' holds one network; --ensemble needs two, as '--method coteaching' trains"
            )
        states.append(loaded.state_dict_2)
    networks = []
    for state in states:
        network = build_model(loaded.meta, weights)
        load_state(network, state, weights)
        networks.append(network.eval().to(device))
    classes, ids = named_outputs(loaded.meta, dataset, weights, is_named=is_named)
    return Trained(networks, loaded.meta, classes, np.array(ids))


def named_outputs(
    meta: dict[str, Any], dataset: Dataset, weights: Path, *, is_named: bool = False
) -> tuple[ClassList, list[int]]:
    """Class list of a network and the class id of each of its outputs.

    A file of ours says both. The outputs of a published one are, without the background, the classes of
    LUAD-HistoSeg or BCSS-WSSS where the file's name holds ``luad`` or ``bcss``, else those of the data
    folder, else ``class_0``, ``class_1``, ...

    Args:
        meta: the description.
        dataset: the data folder that the network is used on.
        weights: the file, for its name.
        is_named: the class list of ``dataset`` was named by the user: it comes first.

    Raises:
        BadInputError: that list has another number of classes than the file has outputs.
    """
    ids = [int(i) for i in meta["class_ids"]]
    palette = tuple(tuple(colour) for colour in meta.get("palette", ()))
    own = ClassList(tuple(meta["classes"]), meta.get("background", -1), palette)
    if meta.get("named", True):
        return own, ids
    name = Path(weights).name.lower()
    known = next((found for word, found in PUBLISHED_SETS.items() if word in name), dataset.classes)
    chosen = dataset.classes if is_named else known if known.names else own
    if len(chosen.foreground) != len(ids):
        raise BadInputError(
            f"'{weights}' has {len(ids)} classes, the class list {len(chosen.foreground)}; "
            "name the right --class-list"
        )
    return chosen, list(chosen.foreground)
