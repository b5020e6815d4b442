"""Load a trained segmenter: networks, metadata and class list."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from wsstool.errors import BadInputError, UsageError
from wsstool.models.recognise import foreign_weights_error
from wsstool.models.segmenter import split_arch
from wsstool.models.weights import build_model, load_state, load_weights
from wsstool.stages.networks.output_names import named_outputs
from wsstool.types import ClassList


@dataclass(frozen=True)
class OpenedSegmenter:
    """Content of a segmenter's weights file.

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
        """Inputs are padded to a multiple of this many pixels."""
        return int(self.networks[0].input_multiple)  # type: ignore[arg-type]

    @property
    def names(self) -> tuple[str | None, ...]:
        """Name of each output; None for a background."""
        known = self.classes.background
        return tuple(None if i == known else self.classes.names[i] for i in self.ids.tolist())


def open_segmenter(
    weights: Path,
    device: torch.device,
    listed: ClassList,
    *,
    ensemble: bool = False,
    is_named: bool = False,
    arch: str | None = None,
) -> OpenedSegmenter:
    """The segmenter of a weights file.

    Args:
        weights: the file.
        device: where the networks go.
        listed, is_named: source of the class names of a published file, see ``named_outputs``.
        ensemble: both networks.
        arch: HEAD-BACKBONE of a published file whose entries fit more than one network.

    Raises:
        UsageError: an ``arch`` that differs from the one stored in the file.
        BadInputError: a classifier, weights that do not fit, one network where two are asked for, or a class
            list of another length.
        MissingInputError: no such file.
    """
    loaded = load_weights(weights)
    task = loaded.meta.get("task", "segmentation")
    if task == "contour":
        raise BadInputError(
            f"'{weights}' is a contour network, which segments the objects in boxes; add --boxes"
        )
    if task != "segmentation":
        raise BadInputError(
            f"'{weights}' is a classifier, but predict needs a segmenter; train one with 'wsstool cotrain'"
        )
    if not loaded.meta:
        raise foreign_weights_error(weights, "wsstool cotrain MASKS --arch deeplabv3plus-{}", "a segmenter")
    meta = _of_arch(loaded.meta, arch, weights)
    states = [loaded.state_dict]
    if ensemble:
        if loaded.state_dict_2 is None:
            raise BadInputError(
                f"'{weights}' contains one network; --ensemble needs two, trained with --method coteaching"
            )
        states.append(loaded.state_dict_2)
    networks = []
    for state in states:
        network = build_model(meta, weights)
        load_state(network, state, weights)
        networks.append(network.eval().to(device))
    classes, ids = named_outputs(meta, listed, weights, is_named=is_named)
    return OpenedSegmenter(networks, meta, classes, np.array(ids))


def _of_arch(meta: dict[str, Any], arch: str | None, weights: Path) -> dict[str, Any]:
    """The description with the architecture that was asked for; only published files leave a choice."""
    if arch is None:
        return meta
    head, backbone = split_arch(arch)
    spelled = f"{head}-{backbone}"
    if meta.get("named", True) and meta.get("arch") != spelled:
        raise UsageError(
            f"'{weights}' contains {meta.get('arch')}; --arch applies only to files that do not name "
            "their network"
        )
    return {**meta, "arch": spelled, "what": spelled}
