"""Segmenters: a head of ``models/heads`` on any backbone, logits at the size of the input."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch

from wsstool.errors import BadInputError, UsageError
from wsstool.models.backbones import (
    build_backbone,
    default_output_stride,
)
from wsstool.models.fan.positions import set_floored
from wsstool.models.fcn_initialisation import start_fcn
from wsstool.models.heads import deeplabv3plus, segformer
from wsstool.models.heads.deeplabv3plus import DeepLabV3Plus
from wsstool.models.heads.fcn import FCN, build_fcn
from wsstool.models.heads.plain import Segmenter
from wsstool.models.heads.segformer import ATTENDED, SegFormer
from wsstool.models.published.fan import check_size
from wsstool.registries.heads import HEADS
from wsstool.registries.segmenters import FCN_HEADS, split_arch

NEED_TWO_IMAGES = ("deeplabv3plus", "deeplabv3", "pyramid")
"""Heads that normalise one value per channel and image over the batch."""

OWN_STRIDES = {"segformer": 32}
"""Heads that read every scale of the backbone: its own stride, up to this, in place of 16."""

LAST_LAYERS = (deeplabv3plus.LAST_LAYER, segformer.LAST_LAYER)
"""Prefixes of the state dict entries that depend on the classes of the training set."""


AnySegmenter = Segmenter | DeepLabV3Plus | SegFormer | FCN


def build_segmenter(
    arch: str,
    n_classes: int,
    *,
    output_stride: int | None = None,
    width: int | None = None,
    channel_order: str = "rgb",
    floored_positions: bool = True,
) -> AnySegmenter:
    """Build a segmenter with random weights.

    Args:
        arch: ``HEAD-BACKBONE``, such as ``deeplabv3plus-resnet-101``, ``lraspp-mobilenet-v2``, ``fcn-tiny``.
        n_classes: channels of the output.
        output_stride: of the backbone's last map; None takes 16, or the backbone's own if that is finer;
            FCNs that add finer maps (``fcn8s-...``) and segformer take the backbone's own.
        width: channels inside the head; None takes 256 for the deeplabs, 128 for lraspp, 192 for pyramid, a
            quarter of the features for fcn, for segformer see ``SegFormer``. 128 halves the time of deeplabv3
            on a CPU with little loss.
        channel_order: colour order that the backbone's weights expect; ``bgr`` for FCNs only, which reorder
            the channels themselves: the input of every network is RGB.
        floored_positions: FAN only, see ``FourierPositions``; False for the published segmenters.

    Notes:
        Backbones that end with a 1x1 expansion made for their ImageNet classifier (MobileNets,
        EfficientNets) are cut before it, as in the published mobile DeepLabs: the head sees a quarter of the
        channels. The rates of the pyramid follow the stride: 6, 12, 18 at stride 16.

    Raises:
        UsageError: unknown arch, impossible stride, fewer than one class.

    Example:
        >>> build_segmenter("fcn-tiny", 4).eval()(torch.zeros(1, 3, 33, 40)).shape
        torch.Size([1, 4, 33, 40])
    """
    head_name, backbone_name = split_arch(arch)
    if n_classes < 1:
        raise UsageError("a segmenter needs at least one class")
    if head_name in FCN_HEADS:
        network = build_fcn(
            head_name,
            backbone_name,
            n_classes,
            output_stride=output_stride,
            width=width,
            channel_order=channel_order,
        )
        set_floored(network, floored_positions)
        return network
    if channel_order != "rgb":
        raise UsageError(f"{arch} needs RGB input, unlike FCNs such as fcn8s-vgg-16")
    stride = default_output_stride(backbone_name, OWN_STRIDES.get(head_name, 16))
    stride = stride if output_stride is None else output_stride
    backbone = build_backbone(backbone_name, output_stride=stride)
    set_floored(backbone, floored_positions)
    return HEADS.load(head_name)(backbone, n_classes, width)  # type: ignore[no-any-return]


def start_from(
    segmenter: AnySegmenter,
    state_dict: Mapping[str, torch.Tensor],
    source: str = "the weights",
    rows: Sequence[int | None] | None = None,
) -> str:
    """Copy start weights into a segmenter: all of another segmenter, or only a backbone.

    Args:
        segmenter: changed in place.
        state_dict: of a segmenter of the same arch and classes, of a DeepLabv3+ or SegFormer of other
            classes or without its last layer, of a classifier (``backbone.*``), or of a plain torchvision
            classifier (``features.*``, ``layer1.*``, ...). The heads of classifiers are left out, except
            that of a FAN its class attention is copied if the segmenter has it.
        source: name of the weights in messages.
        rows: output of the initial weights for each class of an FCN, see ``start_fcn``.

    Returns:
        What was copied: ``"backbone and head"``, ``"all but the last layer"`` or ``"backbone"``; for FCNs
        the result of ``start_fcn``.

    Raises:
        BadInputError: a layer of the backbone is missing or has another shape, or a FAN of another size.
    """
    check_size(segmenter.backbone.arch, state_dict, source)
    if isinstance(segmenter, FCN):
        return start_fcn(segmenter, state_dict, source, rows)
    own = segmenter.state_dict()
    wanted = {key for key in own if not key.endswith("num_batches_tracked")}
    fitting = {
        key: value for key, value in state_dict.items() if key in own and own[key].shape == value.shape
    }
    if wanted <= fitting.keys() and fitting.keys() == state_dict.keys():
        segmenter.load_state_dict(fitting, strict=False)
        return "backbone and head"
    if isinstance(segmenter, DeepLabV3Plus | SegFormer):
        fitting = without_last_layer(fitting)
        if without_last_layer(own).keys() & wanted <= fitting.keys():
            segmenter.load_state_dict(fitting, strict=False)
            return "all but the last layer"
    bare = {_name_in_backbone(key): value for key, value in state_dict.items()}
    bare = segmenter.backbone.own_names(bare)
    backbone = segmenter.backbone.state_dict()
    found = {key: bare[key] for key in backbone if key in bare and bare[key].shape == backbone[key].shape}
    missing = [key for key in backbone if key not in found and not key.endswith("num_batches_tracked")]
    if missing:
        raise BadInputError(
            f"{source} cannot initialise {segmenter.backbone.arch}: {len(missing)} of its {len(backbone)} "
            f"tensors are missing or have a different shape, such as '{missing[0]}'"
        )
    segmenter.backbone.load_state_dict(found, strict=False)
    return "backbone"


def without_last_layer(state_dict: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Drop the layer that depends on the classes from a state dict, to start training on other classes."""
    return {name: value for name, value in state_dict.items() if not name.startswith(LAST_LAYERS)}


def _name_in_backbone(name: str) -> str:
    """Return the name that an entry of a classifier or a segmenter has in a backbone."""
    return re.sub(r"^head\.(?=cls_)", f"{ATTENDED}.", name.removeprefix("backbone."))
