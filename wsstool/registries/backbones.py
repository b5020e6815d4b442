"""The registry of backbones, see ``wsstool.registry``.

Contract: ``f(arch) -> Backbone``, the plain network of that name with random weights. A name ``PREFIX:NAME``
belongs to the entry ``PREFIX``, which knows the networks of another library.
"""

from __future__ import annotations

import re
from difflib import get_close_matches

from wsstool.errors import UsageError
from wsstool.family import Entry, Registry

_OURS = "wsstool.models.backbones.own_networks"
_TORCHVISION = "wsstool.models.backbones.torchvision_networks:torchvision_backbone"
_RESNET = "He et al., CVPR 2016"
_VGG = "Simonyan and Zisserman, ICLR 2015"
_MOBILENET_V3 = "Howard et al., ICCV 2019"
_EFFICIENTNET = "Tan and Le, ICML 2019"
_CONVNEXT = "Liu et al., CVPR 2022"
_REGNET = "Radosavovic et al., CVPR 2020"
_FAN = "Zhou et al., ICML 2022"

BACKBONES = Registry(
    "backbones",
    "backbone",
    {
        "tiny": Entry(f"{_OURS}:tiny_backbone", "own design", "0.3 M parameters"),
        "resnet38d": Entry(
            f"{_OURS}:resnet38d_backbone", "Wu et al., Pattern Recognition 2019", "105 M parameters"
        ),
        "fan-micro": Entry(f"{_OURS}:fan_backbone", _FAN, "0.6 M parameters"),
        "fan-tiny": Entry(f"{_OURS}:fan_backbone", _FAN, "6.4 M parameters"),
        "fan-small": Entry(f"{_OURS}:fan_backbone", _FAN, "22 M parameters"),
        "fan-base": Entry(f"{_OURS}:fan_backbone", _FAN, "45 M parameters"),
        "fan-large": Entry(f"{_OURS}:fan_backbone", _FAN, "71 M parameters"),
        "mobilenet-v2": Entry(_TORCHVISION, "Sandler et al., CVPR 2018", "2.2 M parameters"),
        "mobilenet-v3-small": Entry(_TORCHVISION, _MOBILENET_V3, "0.9 M parameters"),
        "mobilenet-v3-large": Entry(_TORCHVISION, _MOBILENET_V3, "3.0 M parameters"),
        "resnet-18": Entry(_TORCHVISION, _RESNET, "11 M parameters"),
        "resnet-34": Entry(_TORCHVISION, _RESNET, "21 M parameters"),
        "resnet-50": Entry(_TORCHVISION, _RESNET, "24 M parameters"),
        "resnet-101": Entry(_TORCHVISION, _RESNET, "42 M parameters"),
        "resnet-152": Entry(_TORCHVISION, _RESNET, "58 M parameters"),
        "resnext-50": Entry(_TORCHVISION, "Xie et al., CVPR 2017", "23 M parameters"),
        "wide-resnet-50": Entry(_TORCHVISION, "Zagoruyko and Komodakis, BMVC 2016", "67 M parameters"),
        "vgg-11": Entry(_TORCHVISION, _VGG, "9.2 M parameters"),
        "vgg-16": Entry(_TORCHVISION, _VGG, "15 M parameters"),
        "vgg-16-bn": Entry(_TORCHVISION, _VGG, "15 M parameters"),
        "vgg-19": Entry(_TORCHVISION, _VGG, "20 M parameters"),
        "efficientnet-b0": Entry(_TORCHVISION, _EFFICIENTNET, "4.0 M parameters"),
        "efficientnet-b1": Entry(_TORCHVISION, _EFFICIENTNET, "6.5 M parameters"),
        "efficientnet-b2": Entry(_TORCHVISION, _EFFICIENTNET, "7.7 M parameters"),
        "efficientnet-b3": Entry(_TORCHVISION, _EFFICIENTNET, "11 M parameters"),
        "efficientnet-v2-s": Entry(_TORCHVISION, "Tan and Le, ICML 2021", "20 M parameters"),
        "convnext-tiny": Entry(_TORCHVISION, _CONVNEXT, "28 M parameters"),
        "convnext-small": Entry(_TORCHVISION, _CONVNEXT, "49 M parameters"),
        "convnext-base": Entry(_TORCHVISION, _CONVNEXT, "88 M parameters"),
        "regnet-y-400mf": Entry(_TORCHVISION, _REGNET, "3.9 M parameters"),
        "regnet-y-1.6gf": Entry(_TORCHVISION, _REGNET, "10 M parameters"),
        "regnet-x-1.6gf": Entry(_TORCHVISION, _REGNET, "8.3 M parameters"),
        "efficientnet-lite0": Entry(f"{_OURS}:lite_backbone", _EFFICIENTNET, "3.4 M parameters"),
        "efficientnet-lite1": Entry(f"{_OURS}:lite_backbone", _EFFICIENTNET, "4.1 M parameters"),
        "efficientnet-lite2": Entry(f"{_OURS}:lite_backbone", _EFFICIENTNET, "4.8 M parameters"),
        "timm": Entry(
            "wsstool.models.backbones.timm_network:timm_backbone",
            "that of the network, timm:NAME",
            "that of the network",
        ),
    },
)


def check_backbone(arch: str) -> None:
    """Raise UsageError, with the likeliest meaning of the name, unless a backbone or its prefix is known."""
    if arch.partition(":")[0] in BACKBONES:
        return
    spelled = {re.sub("[-_. ]", "", name): name for name in BACKBONES}
    near = get_close_matches(re.sub("[-_. ]", "", arch.lower()), spelled, 1, 0.75)
    hint = f"did you mean '{spelled[near[0]]}'? " if near else ""
    raise UsageError(f"no backbone '{arch}'; {hint}there are: {', '.join(BACKBONES)}")
