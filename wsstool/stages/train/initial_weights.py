"""Initial weights for training: ``--init``, published checkpoints, ImageNet backbones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from wsstool import store
from wsstool.errors import UsageError
from wsstool.models.backbones import BACKBONES, input_statistics
from wsstool.models.backbones.caffe_trunks import CAFFE_MEAN, CAFFE_STD
from wsstool.models.classifier import NORMALIZATIONS
from wsstool.models.fan.drop_path import set_drop_path
from wsstool.models.heads.fcn import FCN
from wsstool.models.published.pytorch_fcn import is_caffe_vgg16
from wsstool.models.segmenter import build_segmenter, start_from, without_last_layer
from wsstool.models.weights import Weights, load_weights
from wsstool.pretrained.folder import named_weights
from wsstool.stages.networks.published_copies import chosen_average
from wsstool.stages.networks.whole_tokens import say_notes
from wsstool.stages.options.trainers.cotrain import CotrainOptions
from wsstool.stages.options.trainers.training import TrainerOptions, is_fan
from wsstool.types import Messages

T = TypeVar("T", bound=TrainerOptions)

INPUTS: dict[str, dict[str, Any]] = {
    **{
        name: {"mean": list(mean), "std": list(std), "channel_order": "rgb"}
        for name, (mean, std) in NORMALIZATIONS.items()
    },
    "caffe": {"mean": list(CAFFE_MEAN), "std": list(CAFFE_STD), "channel_order": "bgr"},
}
"""Input format of a network by name, as stored in ``meta``."""


def with_named_weights(options: T) -> T:
    """Return the options with ``init`` as a file, where it is the name of pretrained weights.

    Raises:
        MissingInputError: see ``wsstool.pretrained.folder.named_weights``.
    """
    if options.init is None:
        return options
    arch: str = options.arch  # type: ignore[attr-defined]  # each trainer declares its own
    return replace(options, init=named_weights(options.init, arch))


def read_start(options: TrainerOptions, messages: Messages) -> tuple[Weights | None, bool]:
    """Read the initial weights, if any; also return the value of ``--init-ema`` for the key."""
    if options.init is None:
        return None, True
    start = load_weights(options.init, averaged=options.averaged)
    return start, chosen_average(options, {options.init: start}, messages)


def backbone_input(normalization: str, backbone: str) -> dict[str, Any]:
    """Return mean, deviation and order of the colours: as named, or ``auto``: those of the backbone."""
    if normalization != "auto":
        return INPUTS[normalization]
    own = input_statistics(backbone) if backbone.partition(":")[0] in BACKBONES else None
    if own is None:
        return INPUTS["imagenet"]
    return {"mean": list(own.mean), "std": list(own.std), "channel_order": "rgb"}


def start_input(
    normalization: str, start: Weights | None, init: Path | None = None, *, backbone: str
) -> dict[str, Any]:
    """Return mean, deviation and order of the colours: as named, or ``auto``: those of the start weights.

    Initial weights without metadata are taken as those that their backbone is known for, mostly ImageNet's,
    except for one Caffe file known by its checksum.
    """
    named = backbone_input(normalization, backbone)
    meta = start.meta if start and normalization == "auto" else {}
    if normalization == "auto" and start and not meta and init and is_caffe_vgg16(init):
        return INPUTS["caffe"]
    return {**named, **{key: meta[key] for key in named if key in meta}}


def start_normalisation(
    normalization: str, start: Weights | None, *, backbone: str
) -> tuple[list[float], list[float]]:
    """Return mean and deviation of ``start_input``, for networks with RGB input.

    Raises:
        UsageError: the initial weights need another channel order, or ``normalization`` names one.
    """
    seen = start_input(normalization, start, backbone=backbone)
    if seen["channel_order"] != "rgb":
        raise UsageError("these initial weights need the channel order BGR, which only FCNs support")
    return seen["mean"], seen["std"]


def backbone_rate(options: TrainerOptions) -> float:
    """Return the backbone learning-rate multiplier: as given, else 0.1 with ``init`` and 1 without."""
    return options.backbone_rate if options.backbone_rate is not None else 0.1 if options.init else 1.0


def floored_positions(options: CotrainOptions, start: Weights | None) -> bool:
    """Return the form of the positional encoding of a FAN: as given, else that of the initial weights."""
    if not is_fan(options.arch):
        return True
    given = options.floored_positions
    return bool(start.meta.get("floored_positions", True) if start else True) if given is None else given


def init_input(init: Path | None, start: Weights | None = None) -> list[store.Input]:
    """Return the initial weights as an input of a run, with their history; empty without any."""
    if init is None:
        return []
    history = start.meta.get("provenance", ()) if start else ()
    return [store.Input.of_file(init, role="init", provenance=history)]


def class_rows(start: Weights, names: Sequence[str]) -> list[int | None] | None:
    """Return the output of the initial weights for each class name; None for classes they lack.

    Returns:
        None if the outputs have no names: they are then taken in order.
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
    """Build the networks by number: random initialisation of each, then the initial weights.

    The class layer of a published DeepLabv3+ is dropped, as in the original program; an FCN keeps the
    outputs of classes with equal names. A probe, and a backbone rate of 0, freeze the backbone.

    Args:
        options: those of the network, resolved.
        names: of the classes, one per output.
        start: the initial weights.
        channel_order: of the input, see ``INPUTS``.
        messages: receives what was loaded, and a warning for a start that is known not to work.

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
            floored_positions=options.floored_positions is not False,
        )
        if options.drop_path is not None:
            set_drop_path(network, options.drop_path)
        if isinstance(network, FCN) and options.upsampling == "learned":
            network.learn_upsampling()
        if start is not None:
            taken = start_from(network, _state(start, number), f"'{options.init}'", class_rows(start, names))
            if isinstance(network, FCN) and not number:
                messages.say(f"loaded {taken} of '{options.init}'")
        elif isinstance(network, FCN) and network.is_published:
            messages.warn(
                f"{options.arch} starts from random weights and will hardly learn; name VGG-16 weights with "
                "--init"
            )
        if not number:
            say_notes(network, messages)
        if options.probe or options.backbone_rate == 0:
            network.freeze_backbone()
        return network

    return build


def _state(start: Weights, number: int) -> Mapping[str, Tensor]:
    """Return the initial weights that a network of this number takes over."""
    if number and start.state_dict_2 is not None:
        return start.state_dict_2
    state = start.state_dict if start.meta.get("named", True) else without_last_layer(start.state_dict)
    if number:  # a shared head would make both networks equal
        return {k: v for k, v in state.items() if k.startswith("backbone.")} or state
    return state
