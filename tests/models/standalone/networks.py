"""One small network of every kind, wrapped for plain pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import nn

from tests.models.heads.fcn_networks import lively, small_fcn
from wsstool.models.classifier import POOLS, build_classifier
from wsstool.models.contour import build_contour
from wsstool.models.heads.fcn import FCN, build_fcn
from wsstool.models.referring.build import build_referring
from wsstool.models.segmenter import build_segmenter
from wsstool.models.standalone.pixels import (
    ClassifierOnPixels,
    ContourOnPixels,
    OnPixels,
    ReferringOnPixels,
    SegmenterOnPixels,
)
from wsstool.registries.heads import HEADS

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
WORDS = 12


def segmenter(arch: str, **options: object) -> SegmenterOnPixels:
    """Three classes with ids 2, 0 and 5."""
    return _segmenter(build_segmenter(arch, 3, **options))  # type: ignore[arg-type]


def published_fcn(head: str, channel_order: str = "rgb") -> SegmenterOnPixels:
    return _segmenter(small_fcn(head, channel_order=channel_order))


def learned_fcn() -> SegmenterOnPixels:
    """An FCN whose upsampling is no longer bilinear."""
    network = build_segmenter("fcn4s-tiny", 3)
    assert isinstance(network, FCN)
    return SegmenterOnPixels(lively(network, upscores=True), MEAN, STD, [2, 0, 5])


def _segmenter(network: nn.Module) -> SegmenterOnPixels:
    return SegmenterOnPixels(lively(network), MEAN, STD, [2, 0, 5])


def classifier(arch: str, **options: object) -> ClassifierOnPixels:
    network = build_classifier(arch, 3, **options)  # type: ignore[arg-type]
    return ClassifierOnPixels(lively(network), MEAN, STD)


def contour(condition: str, size: int = 0) -> ContourOnPixels:
    network = build_contour("tiny", width=8, condition=condition, condition_size=size)
    nn.init.normal_(network.steer.weight, std=0.1) if condition != "none" else None
    return ContourOnPixels(network, MEAN, STD)


def referring(arch: str, **options: object) -> ReferringOnPixels:
    network = build_referring(arch, WORDS, width=16, image_size=64, **options)  # type: ignore[arg-type]
    return ReferringOnPixels(network, MEAN, STD, 64, WORDS)


QUICK: Mapping[str, Callable[[], OnPixels]] = {
    "classifier-tiny-topk": lambda: classifier("tiny", pool="topk"),
}
"""Networks that the fast suite traces, beside the FCN that ``export`` is tested with."""

REST: Mapping[str, Callable[[], OnPixels]] = {
    **{f"{head}-tiny": lambda head=head: segmenter(f"{head}-tiny") for head in HEADS},  # type: ignore[misc]
    "linear-mobilenet-v2": lambda: segmenter("linear-mobilenet-v2", output_stride=32),
    "pyramid-efficientnet-b0": lambda: segmenter("pyramid-efficientnet-b0"),
    "deeplabv3plus-resnet-18": lambda: segmenter("deeplabv3plus-resnet-18", width=16),
    "segformer-convnext-tiny": lambda: segmenter("segformer-convnext-tiny", width=16),
    "lraspp-mobilenet-v3-small": lambda: segmenter("lraspp-mobilenet-v3-small"),
    "linear-regnet-y-400mf": lambda: segmenter("linear-regnet-y-400mf"),
    **{f"{head}-fan-micro": lambda head=head: segmenter(f"{head}-fan-micro") for head in [*HEADS][:3]},  # type: ignore[misc]
    "fcn32s-resnet-18": lambda: segmenter("fcn32s-resnet-18"),
    "fcn8s-vgg-11": lambda: segmenter("fcn8s-vgg-11"),
    "fcn8s-at-once-tiny": lambda: segmenter("fcn8s-at-once-tiny"),
    "fcn4s-tiny": lambda: segmenter("fcn4s-tiny"),
    "fcn2s-tiny": lambda: segmenter("fcn2s-tiny"),
    "fcn16s-fan-micro": lambda: segmenter("fcn16s-fan-micro"),
    "fcn8s-published": lambda: published_fcn("fcn8s", "bgr"),
    "fcn32s-alexnet": lambda: _segmenter(build_fcn("fcn32s", "alexnet", 3, width=16)),
    "fcn4s-learned": learned_fcn,
    **{f"classifier-{pool}": lambda pool=pool: classifier("tiny", pool=pool) for pool in POOLS},  # type: ignore[misc]
    "classifier-resnet38d": lambda: classifier("resnet38d", head_bias=False),
    "classifier-fan": lambda: classifier("fan-micro"),
    "classifier-fan-tokens": lambda: classifier("fan-micro", token_head=True),
    "contour": lambda: contour("none"),
    "contour-class": lambda: contour("class", 4),
    "contour-vector": lambda: contour("vector", 5),
    "bcam-tiny": lambda: referring("bcam-tiny"),
    "bcam-tiny-vanilla": lambda: referring("bcam-tiny", attention="vanilla"),
    "brinet-tiny": lambda: referring("brinet-tiny"),
}


def perturbed(found: list, by: float) -> list:
    """Outputs of which the first differs by so many standard deviations."""
    return [found[0] + by * float(torch.from_numpy(found[0]).std()), *found[1:]]
