"""Refiners for the stages that refine score maps with the image."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from wsstool.registry import REFINERS
from wsstool.types import SILENT, Messages

Refiner = Callable[[np.ndarray, np.ndarray], np.ndarray]


def find_refiner(
    name: str | None,
    settings: Iterable[str] | None,
    messages: Messages = SILENT,
    *,
    of_probabilities: bool = False,
) -> tuple[Refiner | None, dict[str, Any]]:
    """Find the refiner of ``--refine`` and bind its options; wrong values are found now.

    Args:
        name: of the refiner, or None.
        settings: ``NAME=VALUE`` texts.
        messages: warned of settings that do nothing beside the others.
        of_probabilities: whether the scores are probabilities; some refiners need to know.

    Returns:
        ``f(scores, image) -> scores``, or None without a name; and its options.

    Raises:
        UsageError: no refiner of that name, or a setting that it refuses.
    """
    if name is None:
        return None, {}
    own = REFINERS.settings(name, settings or ())
    if of_probabilities and "unary" in REFINERS.own_options(name):
        own.setdefault("unary", "probabilities")
    for text in REFINERS.idle(name, own):
        messages.warn(text)
    refiner = partial(REFINERS.load(name), **own)
    refiner(np.eye(2, dtype=np.float32)[:, None], np.zeros((1, 2, 3), np.uint8))  # two labels, two pixels
    return refiner, own
