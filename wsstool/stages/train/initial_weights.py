"""What the networks of a training run start from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from wsstool.errors import UsageError
from wsstool.models.backbones.caffe_trunks import CAFFE_MEAN, CAFFE_STD
from wsstool.models.classifier import NORMALIZATIONS
from wsstool.models.heads.deeplabv3plus import without_last_layer
from wsstool.models.heads.fcn import FCN
from wsstool.models.published.pytorch_fcn import is_caffe_vgg16
from wsstool.models.segmenter import build_segmenter, start_from
from wsstool.models.weights import Weights
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

    Raises:
        UsageError: no such name.
    """
    if normalization not in ("auto", *INPUTS):
        raise UsageError(f"--normalization {normalization}: auto, {', '.join(INPUTS)}")
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


def parameter_groups(
    network: Any, backbone_rate: float, bias_rate: float | None = None
) -> list[dict[str, Any]]:
    """What the optimiser changes: the backbone at a rate of its own, the head, biases apart where asked for.

    Args:
        network: with ``backbone`` and ``head_parameters()``.
        backbone_rate: learning rate of the backbone relative to the head's.
        bias_rate: that of biases relative to the weights beside them, which then have no weight decay either;
            None: as weights.
    """
    biases = {id(p) for name, p in network.named_parameters() if name.endswith("bias")}
    if bias_rate is None:
        biases = set()
    groups = []
    for rate, parameters in (
        (backbone_rate, network.backbone.parameters()),
        (1.0, network.head_parameters()),
    ):
        trained = [p for p in parameters if p.requires_grad]
        groups.append({"params": [p for p in trained if id(p) not in biases], "lr_scale": rate})
        apart = [p for p in trained if id(p) in biases]
        if apart:
            groups.append({"params": apart, "lr_scale": rate * (bias_rate or 0.0), "weight_decay": 0.0})
    return groups


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
    arch: str,
    names: Sequence[str],
    start: Weights | None,
    init: Path | None,
    *,
    output_stride: int | None,
    width: int | None,
    channel_order: str,
    upsampling: str,
    seed: int,
    frozen: bool,
    messages: Messages,
) -> Callable[[int], nn.Module]:
    """Number of a network -> the network with a random start of its own, then the start weights.

    Of a published DeepLabv3+ the layer of its classes is dropped, as its own program does; of an FCN the
    outputs of classes of the same name are kept.

    Args:
        names: of the classes, one an output.
        frozen: the backbone stays as it is.
        messages: told what was taken over, and warned of a start that is known not to work.
        Others: see ``cotrain``.

    Raises:
        UsageError: an option that the network does not have.
    """
    if upsampling not in ("fixed", "learned"):
        raise UsageError(f"--upsampling {upsampling}: fixed or learned")

    def build(number: int) -> nn.Module:
        torch.manual_seed(seed + number)
        network = build_segmenter(
            arch, len(names), output_stride=output_stride, width=width, channel_order=channel_order
        )
        if isinstance(network, FCN) and upsampling == "learned":
            network.learn_upsampling()
        if start is not None:
            state = start.state_dict
            if not start.meta.get("named", True):
                state = without_last_layer(state)
            if number and start.state_dict_2 is not None:
                state = start.state_dict_2
            elif number:  # a head in common would make both networks the same
                state = {k: v for k, v in state.items() if k.startswith("backbone.")} or state
            taken = start_from(network, state, f"'{init}'", class_rows(start, names))
            if isinstance(network, FCN) and not number:
                messages.say(f"starting from {taken} of '{init}'")
        elif isinstance(network, FCN) and network.is_published:
            messages.warn(
                f"{arch} starts from random weights, from which it hardly learns; name a VGG-16 with --init"
            )
        if frozen:
            network.freeze_backbone()
        return network

    return build
