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


_IDLE: dict[str, tuple[Idle, ...]] = {
    "pseudo-mask": (
        Idle(
            ("background_threshold", "background_threshold_low", "background_power"),
            lambda v: v["background"] != "auto",
            "with --background none or white, where no score is compared with it",
        ),
        Idle(
            ("background_threshold",),
            lambda v: v["background"] == "auto" and v["background_power"] is not None,
            "with --background-power, which stands in place of a constant",
        ),
        Idle(
            ("background_threshold", "background_threshold_low", "background_power"),
            lambda v: v["rule"] == "multilayer" and v["background"] == "auto",
            "with --rule multilayer, where every pixel goes to a class that is tagged",
        ),
        Idle(
            ("background_threshold", "background_threshold_low", "background_power"),
            lambda v: v["rule"] == "threshold",
            "with --rule threshold, which has its own: --set high=..., --set low=...",
        ),
    ),
    "propose": (
        Idle(("method", "settings", "workers"), lambda v: v["import_"] is not None, "with --import"),
    ),
    "predict": (
        Idle(("gate_threshold", "gate_form"), lambda v: v["gate"] is None, "without --gate"),
        Idle(("dtype",), lambda v: not v["probabilities"], "without --probabilities"),
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
