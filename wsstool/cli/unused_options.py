"""Options that do nothing beside others: whoever types one is told, since they expect something of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Idle:
    """Options that count for nothing when ``when`` holds of all values of the command."""

    options: tuple[str, ...]
    when: Callable[[Mapping[str, Any]], bool]
    why: str  #: completes "--x does nothing ..."


_STEPS = (
    *(
        "epochs",
        "lr",
        "backbone_rate",
        "optimizer",
        "schedule",
        "warmup_epochs",
        "weight_decay",
        "clip",
        "ema",
    ),
    *("batch_size", "flip", "color_jitter", "amp"),
)
_SOLVED = "with --probe, which takes no steps"
SELECTING = ("coteaching", "self-training")
"""Methods of ``cotrain`` that select pixels, and so want a noise rate."""

_IDLE: dict[str, tuple[Idle, ...]] = {
    "train-cls": (
        Idle((*_STEPS, "flip_vertical", "image_size", "area", "momentum"), lambda v: v["probe"], _SOLVED),
        Idle(("scale", "penalty", "balanced", "intercept"), lambda v: not v["probe"], "without --probe"),
    ),
    "cotrain": (
        Idle(
            (*_STEPS, "method", "noise_rate", "crop_size", "scale_min", "scale_max"),
            lambda v: v["probe"],
            _SOLVED,
        ),
        Idle(("scale", "penalty"), lambda v: not v["probe"], "without --probe"),
        Idle(("arch",), lambda v: bool(v["stage"]), "with --stage, which names the networks"),
        Idle(("momentum",), lambda v: v["optimizer"] != "sgd", "without --optimizer sgd"),
        Idle(
            ("noise_rate",),
            lambda v: v["method"] not in SELECTING and not v["probe"],
            f"without --method {' or '.join(SELECTING)}",
        ),
    ),
    "train-contour": (
        Idle(("views",), lambda v: v["epochs"] is not None, "with --epochs"),
        Idle(("min_score",), lambda v: v["selection"] is None, "without --selection"),
        Idle(("frozen_stride",), lambda v: v["init"] is None, "without --init"),
        Idle(
            ("margin_min", "margin_max"),
            lambda v: v["window"] == "image",
            "with --window image, which has no margin",
        ),
    ),
}


def sentences(command: str, values: Mapping[str, Any], typed: Iterable[str]) -> list[str]:
    """One sentence a reason, for the options among ``typed`` that do nothing beside the ``values``."""
    typed = set(typed)
    found = []
    for idle in _IDLE.get(command, ()):
        names = [name for name in idle.options if name in typed]
        if names and idle.when(values):
            spelled = ", ".join(f"--{name.replace('_', '-')}" for name in names)
            found.append(f"{spelled} {'does' if len(names) == 1 else 'do'} nothing {idle.why}")
    return found
