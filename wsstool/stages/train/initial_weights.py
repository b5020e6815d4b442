"""What the networks of a training run start from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from wsstool import store
from wsstool.errors import UsageError
from wsstool.models.backbones.caffe_trunks import CAFFE_MEAN, CAFFE_STD
from wsstool.models.classifier import NORMALIZATIONS
from wsstool.models.heads.deeplabv3plus import without_last_layer
from wsstool.models.heads.fcn import FCN
from wsstool.models.published.pytorch_fcn import is_caffe_vgg16
from wsstool.models.segmenter import build_segmenter, start_from
from wsstool.models.weights import Weights
from wsstool.stages.options.cotrain import CotrainOptions
from wsstool.stages.options.training import TrainerOptions
from wsstool.types import Messages

INPUTS: dict[str, dict[str, Any]] = {
    **{
        name: {"mean": list(mean), "std": list(std), "channel_order": "rgb"}
        for name, (mean, std) in NORMALIZATIONS.items()
    },
    "caffe": {"mean": list(CAFFE_MEAN), "std": list(CAFFE_STD), "channel_order": "bgr"},
}
"""What a network is fed with, by name, in the words of ``meta``."""


def start_input(normalization: str, start: Weights | None, init: Path | None = None) -> dict[str, Any]:
    """Mean, standard deviation and order of the colours: as named, or ``auto``: those of the start weights.

    Start weights that say nothing are ImageNet's, but for the one file from Caffe that is known by its sum.
    """
    named = INPUTS["imagenet" if normalization == "auto" else normalization]
    meta = start.meta if start and normalization == "auto" else {}
    if normalization == "auto" and start and not meta and init and is_caffe_vgg16(init):
        return INPUTS["caffe"]
    return {**named, **{key: meta[key] for key in named if key in meta}}


def start_normalisation(normalization: str, start: Weights | None) -> tuple[list[float], list[float]]:
    """Mean and deviation of ``start_input``, for networks that take colours as red, green, blue.

    Raises:
        UsageError: the start weights want another order; a name of another one.
    """
    seen = start_input(normalization, start)
    if seen["channel_order"] != "rgb":
        raise UsageError("these start weights want blue first, which only FCNs turn round")
    return seen["mean"], seen["std"]


def backbone_rate(options: TrainerOptions) -> float:
    """Learning rate of the backbone relative to the rest: as given, else 0.1 with ``init`` and 1 without."""
    return options.backbone_rate if options.backbone_rate is not None else 0.1 if options.init else 1.0


def init_input(init: Path | None, start: Weights | None = None) -> list[store.Input]:
    """The start weights as an input of a run, with their history; empty without any."""
    if init is None:
        return []
    history = start.meta.get("provenance", ()) if start else ()
    return [store.Input.of_file(init, role="init", provenance=history)]


def class_rows(start: Weights, names: Sequence[str]) -> list[int | None] | None:
    """The output of the start weights for each class of that name, None where they have no such class.

    Returns:
        None where the outputs have no names: then they are taken in order.
    """
    meta = start.meta
    if not meta.get("named", True) or not {"classes", "class_ids"} <= meta.keys():
        return None
    old = [meta["classes"][i] for i in meta["class_ids"]]
    return [old.index(name) if name in old else None for name in names]


def network_builder(
    options: CotrainOptions,
    names: Sequence[str],
    start: Weights | None,
    channel_order: str,
    messages: Messages,
) -> Callable[[int], nn.Module]:
    """Number of a network -> the network with a random start of its own, then the start weights.

    Of a published DeepLabv3+ the layer of its classes is dropped, as its own program does; of an FCN the
    outputs of classes of the same name are kept. A probe, and a backbone rate of 0, freeze the backbone.

    Args:
        options: those of the network, resolved.
        names: of the classes, one an output.
        start: the start weights.
        channel_order: of the input, see ``INPUTS``.
        messages: reports what was copied, and warns of start weights that are known not to work.

    Raises:
        UsageError: an option that the network does not have.
    """

    def build(number: int) -> nn.Module:
        torch.manual_seed(options.seed + number)
        network = build_segmenter(
            options.arch,
            len(names),
            output_stride=options.output_stride,
            width=options.width,
            channel_order=channel_order,
        )
        if isinstance(network, FCN) and options.upsampling == "learned":
            network.learn_upsampling()
        if start is not None:
            taken = start_from(network, _state(start, number), f"'{options.init}'", class_rows(start, names))
            if isinstance(network, FCN) and not number:
                messages.say(f"starting from {taken} of '{options.init}'")
        elif isinstance(network, FCN) and network.is_published:
            messages.warn(
                f"{options.arch} starts from random weights, from which it hardly learns; "
                "name a VGG-16 with --init"
            )
        if options.probe or options.backbone_rate == 0:
            network.freeze_backbone()
        return network

    return build


def _state(start: Weights, number: int) -> Mapping[str, Tensor]:
    """What a network of this number takes over from the start weights."""
    if number and start.state_dict_2 is not None:
        return start.state_dict_2
    state = start.state_dict if start.meta.get("named", True) else without_last_layer(start.state_dict)
    if number:  # a head in common would make both networks the same
        return {k: v for k, v in state.items() if k.startswith("backbone.")} or state
    return state
