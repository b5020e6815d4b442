"""The options of ``pseudo-mask``: for class maps, for masks of boxes, and for both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wsstool.errors import UsageError
from wsstool.options import Unused, option
from wsstool.stages.options.choices import BackgroundKind, Rule
from wsstool.stages.options.common import (
    METHOD,
    Execution,
    ImagesOfRecords,
    RecordInput,
    RecordOutput,
    Refinement,
)

NO_SCORE = Unused(
    lambda o: o.background != "auto",
    "with --background none or white, where no score is compared with it",
)
POWER = Unused(
    lambda o: o.background == "auto" and o.background_power is not None,
    "with --background-power, which stands in place of a constant",
)
TAGGED = Unused(
    lambda o: o.rule == "multilayer" and o.background == "auto",
    "with --rule multilayer, where every pixel goes to a class that is tagged",
)
OWN_THRESHOLDS = Unused(
    lambda o: o.rule == "threshold",
    "with --rule threshold, which has its own: --set high=..., --set low=...",
)


@dataclass(frozen=True, kw_only=True)
class Labelling(RecordInput, ImagesOfRecords, Execution, RecordOutput):
    """What both kinds of input take."""


@dataclass(frozen=True, kw_only=True)
class ClassMapOptions(Labelling, Refinement):
    """Label maps from class maps."""

    rule: Rule = option("argmax", "how scores become labels; 'wsstool methods' compares them", panel=METHOD)
    normalise: Literal["auto", "joint", "class", "minmax", "probability", "none"] = option(
        "auto",
        "scaling of the scores to [0, 1]; auto: 'class' before crf, 'probability' after predict, 'minmax' "
        "for multilayer, else 'joint'",
        panel=METHOD,
    )
    background: BackgroundKind = option(
        "auto",
        "auto: as the class list says (none for multilayer); none: every pixel belongs to a class that is "
        "tagged; white: the same, except for what is white in the image",
        panel=METHOD,
    )
    background_threshold: str = option(
        "0.3",
        "score of the background, in [0, 1], or 'auto': chosen from the scores of the whole set",
        panel=METHOD,
        unused=(NO_SCORE, POWER, TAGGED, OWN_THRESHOLDS),
    )
    background_threshold_low: float | None = option(
        None,
        "a second, lower score: pixels on which the two disagree are ignored",
        panel=METHOD,
        at_least=0,
        at_most=1,
        unused=(NO_SCORE, TAGGED, OWN_THRESHOLDS),
    )
    background_power: float | None = option(
        None,
        "background (1 - best score)^POWER in place of the constant",
        panel=METHOD,
        above=0,
        unused=(NO_SCORE, TAGGED, OWN_THRESHOLDS),
    )
    ignore_margin: float = option(
        0.0,
        "ignore pixels whose best score is less than this above the second",
        panel=METHOD,
        at_least=0,
        at_most=1,
    )
    layer: list[str] | None = option(
        None, "layer of the input to use; repeatable; default: all, one label map each", panel=METHOD
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.constant_background

    @property
    def constant_background(self) -> float | None:
        """The background threshold, or None if it is chosen from the scores.

        Raises:
            UsageError: neither ``auto`` nor a number in [0, 1].
        """
        text = self.background_threshold
        if text == "auto":
            return None
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value <= 1:
            raise UsageError(f"--background-threshold {text}: give auto, or a number in [0, 1]")
        return value


@dataclass(frozen=True, kw_only=True)
class ObjectOptions(Labelling):
    """Label maps from the masks of boxes."""

    overlap: Literal["ignore", "score"] = option(
        "ignore",
        "masks of boxes only: what wins where objects of different classes meet: ignore, or the better score",
        panel=METHOD,
    )
    min_score: float = option(
        0.0,
        "masks of boxes only: ignore the boxes of objects whose mask has a lower score",
        panel=METHOD,
        at_least=0,
        at_most=1,
    )


@dataclass(frozen=True, kw_only=True)
class PseudoMaskOptions(ClassMapOptions, ObjectOptions):
    """Label maps from class maps or the masks of boxes: the input decides."""
