"""Learning-rate schedules: completed share of the run -> factor on the base learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable

from wsstool.errors import UsageError


def constant(done: float) -> float:
    """1 throughout."""
    return 1.0


def poly(done: float) -> float:
    """Return (1 - done)^0.9, from 1 to 0 almost linearly (Chen et al., DeepLab, PAMI 2018)."""
    return (1.0 - done) ** 0.9


def cosine(done: float) -> float:
    """Return (1 + cos(pi done)) / 2, from 1 to 0, flat at both ends (Loshchilov and Hutter, ICLR 2017)."""
    return 0.5 * (1.0 + math.cos(math.pi * done))


def step(done: float) -> float:
    """Return 1, 0.1 after 60 % of the run, 0.01 after 85 %."""
    return 1.0 if done < 0.6 else 0.1 if done < 0.85 else 0.01


SCHEDULES: dict[str, Callable[[float], float]] = {
    "poly": poly,
    "cosine": cosine,
    "step": step,
    "constant": constant,
}
"""Schedules by name."""


def rate_factor(
    schedule: str,
    step: int,
    steps: int,
    warmup: int = 0,
    *,
    warmup_start: float | None = None,
    fall_every: int = 0,
    least: float = 0.0,
) -> float:
    """Return the factor on the learning rate of one step.

    Args:
        schedule: a name of ``SCHEDULES``.
        step: index of the step, from 0.
        steps: steps of the schedule; later ones keep its last factor.
        warmup: number of initial steps of linear warm-up.
        warmup_start: initial factor of the warm-up, [0, 1]: s + (1 - s) step / warmup; None: (step + 1) /
            (warmup + 1). 0 is the published value of DeepLab programs, whose first step then changes nothing.
        fall_every: lr decay step of ``step``: 0.1^floor(step / fall_every); 0: after 60 and 85 % of the run.
        least: m, the factor at which the schedule ends, [0, 1]: f becomes m + (1 - m) f, before the warm-up.

    Example:
        >>> [round(rate_factor("cosine", i, 4), 3) for i in range(4)]
        [1.0, 0.854, 0.5, 0.146]
    """
    if schedule not in SCHEDULES:
        raise UsageError(f"no schedule '{schedule}'; there are: {', '.join(SCHEDULES)}")
    if schedule == "step" and fall_every:
        factor = 0.1 ** (min(step, steps) // fall_every)
    else:
        factor = SCHEDULES[schedule](min(1.0, step / max(1, steps)))
    factor = least + (1 - least) * factor
    if step >= warmup:
        return factor
    if warmup_start is None:
        return factor * (step + 1) / (warmup + 1)
    return factor * (warmup_start + (1 - warmup_start) * step / warmup)
