"""The published weights of pytorch-fcn: FCNs on VGG-16, converted from Caffe or trained by that program.

The names in these files are those of ``FCN`` on its VGG-16, so they load unchanged; only the metadata is
missing. FCN-8s and FCN-8s at-once have the same entries: a training checkpoint names its network, for a
converted file the user must.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from wsstool.models.backbones.caffe_trunks import CAFFE_MEAN, CAFFE_STD
from wsstool.models.published.checkpoints import without_names

_LAST = {"upscore": "fcn32s", "upscore16": "fcn16s", "upscore8": "fcn8s"}
"""The last layer of each network."""

CAFFE_VGG16 = "aa75b158f4181e7f6230029eb96c1b13"
"""MD5 of the VGG-16 from which the published training starts; its names are those of torchvision's file."""

_AT_ONCE = "FCN8sAtOnce"
"""Names of the networks in the checkpoints of training runs."""


def is_caffe_vgg16(path: Path) -> bool:
    """Whether a file is the VGG-16 converted from Caffe, which needs Caffe's input but has no metadata."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest() == CAFFE_VGG16


def is_published(state_dict: Mapping[str, Tensor]) -> bool:
    """Whether a state dict looks like such a network."""
    parts = {name.partition(".")[0] for name in state_dict}
    return {"conv1_1", "fc6", "score_fr"} <= parts and bool(parts & _LAST.keys())


def describe(state_dict: Mapping[str, Tensor], arch: object = None) -> dict[str, Any]:
    """Return the metadata that a published file lacks; {} for other files.

    Args:
        state_dict: contents of the file.
        arch: name of the architecture in a training checkpoint, or None.

    Returns:
        ``meta`` as ``cotrain`` writes it, and ``what`` the file is, in words. The classes have no names yet
        (``named`` is False); where there are 21, they are those of PASCAL VOC (``class_set``).

    Source:
        Long et al., PAMI 2016, and a description of the published files.
    """
    if not is_published(state_dict):
        return {}
    last = next(name for name in _LAST if f"{name}.weight" in state_dict)
    head = "fcn8s-at-once" if str(arch) == _AT_ONCE else _LAST[last]
    n = len(state_dict[f"{last}.weight"])
    is_unsure = head == "fcn8s" and arch is None
    hidden = len(state_dict.get("fc7.bias", ()))
    return {
        "what": f"pytorch-fcn: {head.replace('fcn', 'FCN-')} VGG-16, {n} classes"
        + (" (if trained at once, use --arch fcn8s-at-once-vgg-16)" if is_unsure else ""),
        "arch": f"{head}-vgg-16",
        "task": "segmentation",
        **without_names(n),
        "class_set": "voc" if n == 21 else "",
        "mean": list(CAFFE_MEAN),
        "std": list(CAFFE_STD),
        "channel_order": "bgr",
        "width": None if hidden == 4096 else hidden,
    }
