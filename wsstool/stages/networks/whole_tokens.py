"""What a network of tokens asks of images and options, and what happens to images of other sizes."""

from __future__ import annotations

import numpy as np
from torch import nn

from wsstool.errors import UsageError
from wsstool.models.fan_classifier import LEAST_SIDE, FanClassifier
from wsstool.types import Messages


def say_padding(network: nn.Module, sizes: np.ndarray, messages: Messages) -> None:
    """Say once that images are padded, where the network does so to images of these sizes.

    Args:
        network: a classifier.
        sizes: (N,2) heights and widths in pixels.
        messages: told how many images it concerns.
    """
    if not isinstance(network, FanClassifier):
        return
    tokens = network.input_multiple
    padded = int((sizes % tokens != 0).any(1).sum())
    if padded:
        messages.say(
            f"{network.backbone.arch} pads {padded} of {len(sizes)} images at the right and bottom with the "
            f"mean colour, because their sides are not multiples of {tokens} pixels"
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
