"""A refiner with its options bound, whose values are found wrong before the first image."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from wsstool.registry import REFINERS
from wsstool.types import SILENT, Messages

Refiner = Callable[[np.ndarray, np.ndarray], np.ndarray]


def bound_refiner(name: str, options: dict[str, Any], messages: Messages = SILENT) -> Refiner:
    """``f(scores, image) -> scores`` of a name in ``registry.REFINERS``.

    Args:
        name: of the refiner.
        options: by name.
        messages: told which of them do nothing beside the others.

    Raises:
        UsageError: no refiner of that name, or a value that it refuses.
    """
    for text in REFINERS.idle(name, options):
        messages.warn(text)
    refiner = partial(REFINERS.load(name), **options)
    refiner(np.eye(2, dtype=np.float32)[:, None], np.zeros((1, 2, 3), np.uint8))  # two labels, two pixels
    return refiner
