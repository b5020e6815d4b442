"""The options of ``propose``, ``contour`` and ``select``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wsstool.errors import UsageError
from wsstool.options import Unused, option, redeclared
from wsstool.registry import PROMPTERS, PROPOSALS
from wsstool.stages.options.choices import Proposer, Selection
from wsstool.stages.options.groups import (
    INPUT,
    METHOD,
    MODEL,
    BoxSource,
    BoxWindows,
    DataFolder,
    Execution,
    ImageFolder,
    ImagesOfRecords,
    Inference,
    PublishedWeights,
    RecordOutput,
    SentenceSource,
    Settings,
    SeveralFiles,
    Shard,
)
from wsstool.stages.options.networks.features import FeatureNetwork
from wsstool.stages.options.networks.promptable import PromptableNetwork

_IMPORTED = Unused(lambda o: o.import_ is not None, "with --import")


@dataclass(frozen=True, kw_only=True)
class ProposeOptions(ImageFolder, Shard, Settings, FeatureNetwork, Execution, RecordOutput):
    """Region proposals of a data folder, computed or read from the files of another program."""

    import_: Path | None = option(
        None,
        "read proposals of another program instead: COCO results or SAM output (.json), MCG (.mat), "
        "or a folder with one file per image",
        panel=INPUT,
        spelling="--import",
        metavar="FILE",
        key=False,
    )
    method: Proposer = option(
        "tree", "proposal method; 'wsstool methods' compares them", panel=METHOD, unused=_IMPORTED
    )
    settings: list[str] | None = redeclared(Settings, "settings", None, unused=(_IMPORTED,))
    max_proposals: int | None = option(
        None,
        "rows per image, for proposals and the regions they are built from; the best are kept; "
        "default 4000, with --import as many as needed",
        panel=METHOD,
        at_least=1,
        at_most=65534,
    )
    min_area: int | None = option(
        None, "minimum proposal area in pixels; default 20, with --import 0", panel=METHOD, at_least=0
    )
    max_area: float = option(
        1.0, "maximum proposal area as a fraction of the image", panel=METHOD, above=0, at_most=1
    )
    workers: int = redeclared(Execution, "workers", 2, unused=(_IMPORTED,))

    def check_paths(self) -> None:
        if self.import_ is None:
            PROPOSALS.settings(self.method, self.settings or ())
        super().check_paths()

    @property
    def reads_features(self) -> bool:
        """Whether the method reads features."""
        return self.method == "ncut" and self.import_ is None


@dataclass(frozen=True, kw_only=True)
class ContourOptions(
    ImageFolder, Shard, BoxSource, SentenceSource, BoxWindows, PublishedWeights, Inference, RecordOutput
):
    """Maps of all boxes or sentences of a data folder, computed by a trained network."""

    weights: Path = option(..., "trained weights (.pth)", panel=MODEL, key=False)
    class_list: Path | None = redeclared(DataFolder, "class_list", None, key=True)
    flip: bool = option(
        False, "average with the horizontally flipped image", panel=METHOD, spelling="--flip/--no-flip"
    )
    batch_size: int = redeclared(Inference, "batch_size", 16, help="windows per batch")


@dataclass(frozen=True, kw_only=True)
class SelectOptions(
    SeveralFiles,
    BoxSource,
    SentenceSource,
    ImagesOfRecords,
    Settings,
    PromptableNetwork,
    Execution,
    RecordOutput,
):
    """One mask per box or sentence, from proposals, from contour maps, or from the boxes alone."""

    source: str | None = option(
        None,
        "proposal file; or, for methods without proposals, a contour file or a data folder; several, or "
        "@LIST: the shards of one run; '-' or omitted: standard input",
        positional=True,
        exists=True,
        metavar="[FILE|@LIST|FOLDER]...",
    )
    contour: str | None = option(
        None, "contour file with one map per box; '-': standard input", panel=INPUT, key=False, exists=True
    )
    boxes: Path | None = redeclared(
        BoxSource,
        "boxes",
        None,
        help="box file (COCO, CVAT, Label Studio) or folder (VOC, YOLO, LabelMe); default: the boxes of the "
        "contour file, or those in the data folder",
    )
    expressions: Path | None = redeclared(
        SentenceSource,
        "expressions",
        None,
        help="file with sentences and boxes, or its folder: one mask per sentence, of its box; without "
        "--contour, whose file has its own sentences",
    )
    split: str | None = redeclared(
        ImageFolder,
        "split",
        None,
        help="part of a data folder or of the sentences, by name or as a file of image names; default: all",
    )
    method: Selection = option(
        "greedy",
        "selection method: greedy, best and proposal select proposals, the others need none",
        panel=METHOD,
    )
    threshold: str | None = option(
        None,
        "value of region maps from which a pixel is object, above 0, or 'auto': the one at which the maps "
        "fit their boxes best; for methods with --set threshold; default: that of the method",
        panel=METHOD,
        key="changed",
    )
    fallback: Literal["auto", "prior", "grabcut", "ellipse", "box"] = option(
        "auto",
        "method for boxes where --method finds nothing; auto: the map if it shows regions, GrabCut if the "
        "images are available, then the ellipse",
        panel=METHOD,
    )
    baselines: bool = option(
        False,
        "also rate the masks of box, ellipse, grabcut, proposal and map for the same boxes",
        panel=METHOD,
        spelling="--baselines",
        key=False,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.method_settings
        if self.prompts and self.sam_weights is None:
            raise UsageError(
                f"--method {self.method} needs --sam-weights FOLDER, a checkpoint of the network"
            )

    @property
    def prompts(self) -> bool:
        """Whether the method prompts a segmenter."""
        return self.method in PROMPTERS

    @property
    def method_settings(self) -> list[str]:
        """The options of the method, with the threshold if it is a number.

        Raises:
            UsageError: neither ``auto`` nor a number in (0, 1], or set twice.
        """
        settings, text = list(self.settings or ()), self.threshold
        if text is None:
            return settings
        if any(pair.partition("=")[0].strip() == "threshold" for pair in settings):
            raise UsageError("give --threshold or --set threshold, not both")
        if text == "auto":
            return settings
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 < value <= 1:
            raise UsageError(f"--threshold {text}: give auto, or a number in (0, 1]")
        return [*settings, f"threshold={value:g}"]
