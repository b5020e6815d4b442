"""Load a trained segmenter: networks, metadata and class list."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from wsstool.errors import BadInputError, UsageError
from wsstool.models.class_probabilities import class_probabilities
from wsstool.models.classifier import normalise
from wsstool.models.fitting import check_fit
from wsstool.models.recognise import foreign_weights_error
from wsstool.models.weights import Weights, build_model, described_shapes, load_state, load_weights
from wsstool.registries.segmenters import split_arch
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

    def probabilities(self, images: torch.Tensor, **how: Any) -> torch.Tensor:
        """Compute class probabilities, (B,3,H,W) uint8 -> (B,C,H,W), see ``class_probabilities``.

        Args:
            images: on the device of the networks.
            how: scales, flip and the like, as there.
        """
        x = normalise(images, self.meta["mean"], self.meta["std"])
        return class_probabilities(self.networks, x, stride=self.input_multiple, **how)

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
    loaded: Weights | None = None,
) -> OpenedSegmenter:
    """The segmenter of a weights file.

    Args:
        weights: the file.
        device: where the networks go.
        listed, is_named: source of the class names of a published file, see ``named_outputs``.
        ensemble: both networks.
        arch: HEAD-BACKBONE of a published file; needed where its entries fit more than one network.
        loaded: result of ``load_weights`` for the file, if it has been read already.

    Raises:
        UsageError: an ``arch`` that is not that of the file.
        BadInputError: a classifier, weights that do not fit, one network where two are asked for, or a class
            list of another length.
        MissingInputError: no such file.
    """
    loaded = loaded or load_weights(weights)
    task = loaded.meta.get("task", "segmentation")
    if task == "contour":
        raise BadInputError(
            f"'{weights}' is a contour network, which segments the objects in boxes; add --boxes"
        )
    if task == "referring":
        raise BadInputError(
            f"'{weights}' is a network that reads sentences, not a segmenter; see 'wsstool predict'"
        )
    if task != "segmentation":
        raise BadInputError(
            f"'{weights}' is a classifier, but predict needs a segmenter; train one with 'wsstool cotrain'"
        )
    if not loaded.meta:
        raise foreign_weights_error(weights, "wsstool cotrain MASKS --arch deeplabv3plus-{}", "a segmenter")
    meta = of_arch(loaded, arch, weights)
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


def of_arch(loaded: Weights, arch: str | None, weights: Path) -> dict[str, Any]:
    """Return the description with the requested architecture; only some published files leave a choice.

    Raises:
        UsageError: no such architecture, or not that of the file, which the message names.
    """
    meta = loaded.meta
    if arch is None:
        return meta
    requested = "-".join(split_arch(arch)) if meta["task"] == "segmentation" else arch
    if requested == meta["arch"]:
        return meta
    described = {**meta, "arch": requested, "what": requested}
    if meta.get("named", True) or not _fits(described, loaded, weights):
        what = f"{meta['what']} ({meta['arch']})" if "what" in meta else meta["arch"]
        raise UsageError(f"'{weights}' is {what}, which is not --arch {requested}")
    return described


def _fits(meta: dict[str, Any], loaded: Weights, weights: Path) -> bool:
    """Return whether the weights fit the network that ``meta`` describes."""
    try:
        check_fit(described_shapes(meta, weights), loaded.state_dict, str(weights))
    except BadInputError:
        return False
    return True
