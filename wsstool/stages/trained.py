"""A trained segmenter: its networks, what it says about itself, its classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from wsstool.errors import BadInputError
from wsstool.models.weights import build_model, load_state, load_weights
from wsstool.types import ClassList


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
    weights: Path, device: torch.device, *, ensemble: bool = False, listed: ClassList | None = None
) -> Trained:
    """The segmenter of a weights file.

    Args:
        weights: the file.
        device: where the networks go.
        ensemble: both networks.
        listed: the class list that was named, for published files, which have none of their own.

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
    classes, ids = named_outputs(loaded.meta, listed, weights)
    return Trained(networks, loaded.meta, classes, np.array(ids))


def named_outputs(
    meta: dict[str, Any], listed: ClassList | None, weights: Path
) -> tuple[ClassList, list[int]]:
    """Class list of a network and the class id of each of its outputs.

    A file of ours says both; the outputs of a published one are the classes of ``listed``, if there is such a
    list: without its background, or all of them.

    Raises:
        BadInputError: ``listed`` has another number of classes than a published file has outputs.
    """
    ids = [int(i) for i in meta["class_ids"]]
    if "published" in meta and listed is not None and listed.names:
        for found in (listed.foreground, tuple(range(len(listed)))):
            if len(found) == len(ids):
                return listed, list(found)
        raise BadInputError(
            f"'{weights}' has {len(ids)} outputs, the class list {len(listed.foreground)} classes "
            "that are not background"
        )
    palette = tuple(tuple(colour) for colour in meta.get("palette", ()))
    return ClassList(tuple(meta["classes"]), meta.get("background", -1), palette), ids
