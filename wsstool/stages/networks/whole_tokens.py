"""What a network of tokens asks of images and options, and what happens to images of other sizes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from torch import nn

from wsstool.errors import UsageError, WsstoolError
from wsstool.models.fan.sizes import SIZES, STRIDE
from wsstool.models.fan_classifier import LEAST_SIDE, FanClassifier
from wsstool.models.heads.deeplabv3plus import DeepLabV3Plus
from wsstool.stages.inputs.image_batches import Batch, ImageOrError
from wsstool.stages.inputs.windows import LargeImage
from wsstool.stages.networks.features import Features
from wsstool.types import Messages


def say_padding(network: nn.Module | Features, sizes: np.ndarray, messages: Messages) -> None:
    """Print once that images are padded, if the network pads images of these sizes.

    Args:
        network: a classifier, a segmenter or a backbone that gives features.
        sizes: (N,2) heights and widths in pixels.
        messages: receives the number of images.
    """
    say_notes(network, messages)
    if not is_fan(network):
        return
    padded = int(((sizes % STRIDE != 0).any(1) & (sizes >= LEAST_SIDE).all(1)).sum())
    if padded:
        # the others are padded before their stem
        by_stem = isinstance(network, FanClassifier | DeepLabV3Plus | Features)
        how = "with the mean colour" if by_stem else "by repeating the border"
        messages.say(
            f"{network.backbone.arch} pads {padded} of {len(sizes)} images at the right and bottom "  # type: ignore[union-attr]
            f"{how}, because their sides are not multiples of {STRIDE} pixels"
        )


def say_notes(network: nn.Module | Features, messages: Messages) -> None:
    """Print what a backbone does with its input and its weights, once."""
    for note in getattr(getattr(network, "backbone", None), "notes", ()):
        messages.say(note)


def is_fan(network: nn.Module | Features) -> bool:
    """Return whether a network is a FAN or has one as its backbone."""
    return getattr(getattr(network, "backbone", None), "arch", None) in SIZES


def without_small(
    batches: Iterable[Batch],
    network: nn.Module,
    scales: Sequence[float] = (1.0,),
) -> Iterator[Batch]:
    """Replace each image that is too small for a network of tokens by an error, so that it fails alone.

    Args:
        batches: see ``read_batches``.
        network: a classifier or a segmenter; only a FAN has a smallest size.
        scales: factors of the image size at which the network is used.
    """
    least = math.ceil((LEAST_SIDE - 0.5) / min(scales)) if is_fan(network) else 0
    for numbers, images in batches:
        yield numbers, [_checked(image, least, network) for image in images]


def without_large(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Replace each image that would be computed in windows by an error, for what needs whole images."""
    why = WsstoolError("too large to be seen whole, as --gate needs it")
    for numbers, images in batches:
        yield numbers, [why if isinstance(image, LargeImage) else image for image in images]


def _checked(image: ImageOrError, least: int, network: nn.Module) -> ImageOrError:
    if isinstance(image, WsstoolError) or min(image.shape[:2]) >= least:
        return image
    rows, columns = image.shape[:2]
    return WsstoolError(
        f"{columns} x {rows} pixels are too few for {network.backbone.arch}: "  # type: ignore[union-attr]
        f"each side needs at least {least} pixels"
    )


def check_training(
    network: nn.Module, *, probe: bool, attention: str | None, image_size: int, messages: Messages
) -> None:
    """Check that a classifier can be trained so: a class token leaves no linear head on a feature map.

    Raises:
        UsageError: ``--probe`` or ``--attention`` on a class token, or views that are too small.
    """
    if not isinstance(network, FanClassifier):
        return
    arch = network.backbone.arch
    for option, is_given in (("--probe", probe), ("--attention", attention is not None)):
        if is_given:
            raise UsageError(
                f"{option} needs a linear head on the last feature map, but {arch} uses a class token"
            )
    if image_size < LEAST_SIDE:
        raise UsageError(f"--image-size {image_size}: {arch} needs at least {LEAST_SIDE} pixels")
    if image_size % network.input_multiple:
        messages.say(
            f"{arch} pads the crops of {image_size} pixels to a multiple of {network.input_multiple}"
        )
