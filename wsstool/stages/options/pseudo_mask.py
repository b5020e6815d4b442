"""The options of ``pseudo-mask``: for class maps, for masks of boxes, and shared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wsstool.errors import UsageError
from wsstool.options import Unused, option, redeclared
from wsstool.registry import REFINERS
from wsstool.stages.options.choices import BackgroundKind, Rule
from wsstool.stages.options.groups import (
    METHOD,
    Execution,
    ImagesOfRecords,
    RecordInput,
    RecordOutput,
    Refinement,
)
from wsstool.stages.options.networks.features import FeatureNetwork
from wsstool.stages.options.networks.promptable import PromptableNetwork
from wsstool.stages.options.pictures import WindowSide

NO_SCORE = Unused(
    lambda o: o.background != "auto",
    "with --background none or white, which use no threshold",
)
POWER = Unused(
    lambda o: o.background == "auto" and o.background_power is not None,
    "with --background-power, which replaces the constant",
)
TAGGED = Unused(
    lambda o: o.rule == "multilayer" and o.background == "auto",
    "with --rule multilayer, which gives every pixel to a tagged class",
)
OWN_THRESHOLDS = Unused(
    lambda o: o.rule == "threshold",
    "with --rule threshold, which has its own: --set high=..., --set low=...",
)


@dataclass(frozen=True, kw_only=True)
class Labelling(RecordInput, ImagesOfRecords, Execution, RecordOutput):
    """Options of both kinds of input."""


@dataclass(frozen=True, kw_only=True)
class ClassMapOptions(Labelling, WindowSide, Refinement, FeatureNetwork, PromptableNetwork):
    """Label maps from class maps."""

    refine: list[str] | None = redeclared(  # type: ignore[assignment]
        Refinement,
        "refine",
        None,
        help="refine the score maps with the image; repeatable, in the order given; default: no refinement; "
        f"one of {', '.join(REFINERS.names())}",
    )
    regions: str | None = option(
        None,
        "proposal file, for --refine regions; '-': standard input",
        panel=METHOD,
        key=False,
        metavar="FILE",
        exists=True,
        unused=Unused(lambda o: "regions" not in (o.refine or ()), "without --refine regions"),
    )
    rule: Rule = option("argmax", "how scores become labels; 'wsstool methods' compares them", panel=METHOD)
    normalise: Literal["auto", "joint", "class", "minmax", "probability", "none"] = option(
        "auto",
        "scaling of the scores to [0, 1]; auto: 'none' for probabilities of cam, 'class' before crf, "
        "'probability' after predict, 'minmax' for multilayer, else 'joint'",
        panel=METHOD,
    )
    background: BackgroundKind = option(
        "auto",
        "auto: as in the class list (none for multilayer); none: every pixel belongs to a tagged class; "
        "white: the same, except for white image regions",
        panel=METHOD,
    )
    background_threshold: str = option(
        "0.3",
        "background score, in [0, 1], or 'auto': chosen from the scores of the whole data set",
        panel=METHOD,
        unused=(NO_SCORE, POWER, TAGGED, OWN_THRESHOLDS),
    )
    background_threshold_low: float | None = option(
        None,
        "second, lower background score: pixels on which the two disagree are ignored",
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
        "ignore pixels whose best score exceeds the second by less than this",
        panel=METHOD,
        at_least=0,
        at_most=1,
    )
    device: str = redeclared(
        FeatureNetwork,
        "device",
        "auto",
        unused=Unused(
            lambda o: not o.reads_features and not o.prompts, "without a refiner that runs a network"
        ),
    )
    ignore_below: float = option(
        0.0,
        "ignore object pixels on which all class maps, unrefined, are below this share of the greatest value "
        "of the image; for masks to train on, since ignored pixels count as wrong in eval",
        panel=METHOD,
        at_least=0,
        at_most=1,
        key="changed",
    )
    layer: list[str] | None = option(
        None, "layer of the input to use; repeatable; default: all, one label map each", panel=METHOD
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.constant_background
        for name in self.refine or ():
            if name not in REFINERS:
                raise UsageError(f"--refine {name}: choose from {', '.join(REFINERS.names())}")
        if self.regions == "-" and self.source in (None, "-"):
            raise UsageError(
                "standard input can be only one of the class maps and the regions; name a file for the other"
            )

    @property
    def reads_features(self) -> bool:
        """Whether a refiner reads features."""
        return "affinity" in (self.refine or ())

    @property
    def prompts(self) -> bool:
        """Whether a refiner prompts a segmenter."""
        return "sam" in (self.refine or ())

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
        "masks of boxes only: where objects of different classes overlap: ignore, or the higher score wins",
        panel=METHOD,
    )
    min_score: float = option(
        0.0,
        "masks of boxes only: ignore the boxes of objects with a lower mask score",
        panel=METHOD,
        at_least=0,
        at_most=1,
    )


@dataclass(frozen=True, kw_only=True)
class PseudoMaskOptions(ClassMapOptions, ObjectOptions):
    """Label maps from class maps or the masks of boxes: the input decides."""
