"""The corruptions and severities of a run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from wsstool.corruptions import GROUPS, selected
from wsstool.corruptions.frost import photographs
from wsstool.corruptions.levels import SEVERITIES
from wsstool.errors import MissingInputError
from wsstool.registry import CORRUPTIONS
from wsstool.stages.options.scoring import RobustnessOptions
from wsstool.types import Messages

SYNTHETIC_FROST = "frost-synthetic"


class Condition(NamedTuple):
    """A corruption of one severity; ``clean`` has severity 0."""

    name: str
    severity: int

    def __str__(self) -> str:
        return f"{self.name} {self.severity}"

    @classmethod
    def of(cls, text: str) -> Condition:
        """Read what ``str`` wrote.

        >>> Condition.of("fog 3")
        Condition(name='fog', severity=3)
        """
        name, _, severity = text.rpartition(" ")
        return cls(name, int(severity))


CLEAN = Condition("clean", 0)


def chosen_corruptions(options: RobustnessOptions, messages: Messages) -> list[str]:
    """Return the corruptions that are named, by themselves or in groups, in the order of the registry.

    Without photographs of frost, ``frost-synthetic`` takes the place of a frost that only a group names.

    Raises:
        UsageError: no such corruption or group.
        MissingInputError: frost is named, or a folder of photographs, and there are none.
    """
    words = options.corruption or []
    names = _in_order(selected(words))
    if "frost" not in names:
        return names
    try:
        photographs(str(options.frost or ""))
    except MissingInputError:
        if options.frost is not None or "frost" in words:
            raise
        messages.warn(
            f"{SYNTHETIC_FROST} takes the place of frost, so there is no mCE: frost needs photographs, from "
            "pip install 'wsstool[corruptions]' or --frost FOLDER"
        )
        return _in_order({SYNTHETIC_FROST if name == "frost" else name for name in names})
    return names


def _in_order(names: Collection[str]) -> list[str]:
    return [name for name in CORRUPTIONS if name in names]


def conditions_of(names: Sequence[str], options: RobustnessOptions) -> list[Condition]:
    """Return the clean condition and every corruption at its severities."""
    found = [CLEAN]
    for name in names:
        found += [Condition(name, severity) for severity in severities_of(name, options)]
    return found


def severities_of(name: str, options: RobustnessOptions) -> tuple[int, ...]:
    """Return the severities of a corruption, ascending.

    Source:
        Zhou et al., ICML 2022 (severities 1 to 3 of noise for the averages on City-C).
    """
    if options.severity:
        return tuple(sorted(set(options.severity)))
    if options.severity_set == "segformer" and name in GROUPS["noise"]:
        return SEVERITIES[:3]
    return SEVERITIES


def categories() -> dict[str, tuple[str, ...]]:
    """Return the groups over which robust scores are averaged; synthetic frost counts as weather."""
    return {**GROUPS, "weather": (*GROUPS["weather"], SYNTHETIC_FROST)}
