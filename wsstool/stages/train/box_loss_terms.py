"""Parse ``--loss NAME=WEIGHT`` and ``--set`` into a weighted sum of box losses."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch

from wsstool.errors import UsageError
from wsstool.family import setting_texts
from wsstool.registry import BOX_LOSSES
from wsstool.stages.options.trainers.train_contour import loss_weights
from wsstool.training.contour_task import Term
from wsstool.training.losses.box_targets import box_target


def loss_terms(losses: Sequence[str], settings: Sequence[str]) -> tuple[list[Term], list[str], list[str]]:
    """Parse ``NAME=WEIGHT`` texts to summands; also return their canonical texts and those of the settings.

    Raises:
        UsageError: an unknown or repeated loss, a weight that is not positive, a setting that no loss
            has or that is out of range.
    """
    weights = loss_weights(losses)
    own: dict[str, dict[str, Any]] = {name: {} for name in weights}
    for pair in settings:
        key = pair.partition("=")[0].strip().replace("-", "_")
        owners = [name for name in weights if key in BOX_LOSSES.own_options(name)]
        if not owners:
            there = sorted({k for name in weights for k in BOX_LOSSES.own_options(name)})
            raise UsageError(
                f"--set {pair}: unknown option; the options of these losses are: {', '.join(there) or 'none'}"
            )
        for name in owners:
            own[name] |= BOX_LOSSES.settings(name, [pair])
    terms = [
        Term(name, weight, partial(BOX_LOSSES.load(name), **own[name])) for name, weight in weights.items()
    ]
    square = torch.ones(1, 4, 4)
    target = box_target(
        torch.tensor([[1.0, 1.0, 3.0, 3.0]]),
        torch.zeros(1, 3, 4, 4),
        torch.tensor([[4, 4]]),
        (4, 4),
        mask=square.byte(),
    )
    for term in terms:
        term.loss(square, target)  # judges the range of its options
    described = [f"{name}={weight:g}" for name, weight in weights.items()]
    return terms, described, [text for options in own.values() for text in setting_texts(options)]
