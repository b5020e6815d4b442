"""The names of whole networks: HEAD-BACKBONE of segmenters, NETWORK-BACKBONE of those that read sentences.

They are read here without torch, so that a wrong one is refused at once.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import get_close_matches

from wsstool.errors import UsageError
from wsstool.registries.backbones import BACKBONES
from wsstool.registries.heads import HEADS

FINEST = {"fcn32s": 32, "fcn16s": 16, "fcn8s": 8, "fcn8s-at-once": 8, "fcn4s": 4, "fcn2s": 2}
"""Fully convolutional head -> stride of its finest score map."""

FCN_HEADS = tuple(FINEST)
TRUNKS = ("vgg-16", "alexnet")
"""Backbones of the published networks with these heads, which include their classifier."""

REFERRING = ("bcam", "brinet")
"""First parts of ``--arch``; the second one is a backbone."""


def reads_sentences(arch: str) -> bool:
    """Return whether an architecture is a network that reads sentences.

    Example:
        >>> reads_sentences("bcam-resnet-101"), reads_sentences("resnet-101")
        (True, False)
    """
    return arch.startswith(tuple(f"{name}-" for name in REFERRING))


def split_arch(arch: str) -> tuple[str, str]:
    """Split ``HEAD-BACKBONE``; the dashes inside a backbone name may be left out.

    Raises:
        UsageError: no such head or backbone.

    Example:
        >>> split_arch("deeplabv3-mobilenet-v2")
        ('deeplabv3', 'mobilenet-v2')
        >>> split_arch("deeplabv3plus-resnet101")
        ('deeplabv3plus', 'resnet-101')
        >>> split_arch("fcn8s-at-once-vgg16")
        ('fcn8s-at-once', 'vgg-16')
    """
    heads = [head for head in (*HEADS, *FCN_HEADS) if arch.startswith(f"{head}-")]
    head = max(heads, key=len, default="")
    known = {*BACKBONES, *TRUNKS} if head in FCN_HEADS else {*BACKBONES}
    backbone = full_backbone_name(arch.removeprefix(f"{head}-"), known)
    if not head or not backbone:
        if hint := _hint(arch):
            raise UsageError(
                f"no segmenter '{arch}'; {hint}give HEAD-BACKBONE, both as listed by 'wsstool methods'"
            )
        raise UsageError(
            f"no segmenter '{arch}'; give HEAD-BACKBONE, with a head of {', '.join((*HEADS, *FCN_HEADS))} "
            f"and a backbone of {', '.join(BACKBONES)}"
        )
    return head, backbone


def _hint(arch: str) -> str:
    """Return what an unknown name probably means, a bare backbone or a mistyped part, as a clause; or ""."""
    if backbone := full_backbone_name(arch, [*BACKBONES]):
        return f"did you mean 'linear-{backbone}'? "
    typed, colon, name = arch.partition(":")  # HEAD-LIBRARY:NAME
    spelled = {f"{h}{b}".replace("-", ""): f"{h}-{b}" for h in (*HEADS, *FCN_HEADS) for b in BACKBONES}
    near = get_close_matches(re.sub("[-_. ]", "", typed.lower()), spelled, 1, 0.8)
    return f"did you mean '{spelled[near[0]]}{colon}{name}'? " if near else ""


def full_backbone_name(spelled: str, known: Collection[str]) -> str:
    """Return the name of a backbone of ``known``, also if spelled without dashes; "" if there is none."""
    if spelled.partition(":")[1] and spelled.partition(":")[0] in known:
        return spelled
    joined = {name.replace("-", ""): name for name in known}  # as spelled by the published programs
    return spelled if spelled in known else joined.get(spelled, "")


def split_referring(arch: str) -> tuple[str, str]:
    """Split ``NETWORK-BACKBONE``; the dashes inside a backbone name may be left out.

    Raises:
        UsageError: no such network or backbone.

    Example:
        >>> split_referring("bcam-resnet101")
        ('bcam', 'resnet-101')
    """
    name, _, spelled = arch.partition("-")
    backbone = full_backbone_name(spelled, BACKBONES.names())
    if name not in REFERRING or not backbone:
        raise UsageError(
            f"no referring network '{arch}'; give NETWORK-BACKBONE, with a network of {', '.join(REFERRING)} "
            f"and a backbone of {', '.join(BACKBONES)}"
        )
    return name, backbone


def check_network(arch: str) -> None:
    """Raise UsageError unless a name is that of a backbone, a segmenter or a network that reads sentences."""
    if reads_sentences(arch):
        split_referring(arch)
    elif not full_backbone_name(arch, [*BACKBONES]):
        split_arch(arch)
