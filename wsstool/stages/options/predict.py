"""The options of ``predict``: for label maps, for masks of boxes and of sentences, and shared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wsstool.options import Options, Unused, option, redeclared
from wsstool.stages.options.choices import DenseMethod
from wsstool.stages.options.groups import (
    INPUT,
    METHOD,
    MODEL,
    OUTPUT,
    BoxSource,
    BoxWindows,
    Corruption,
    DataFolder,
    ImageFolder,
    Inference,
    PublishedNetwork,
    RecordOutput,
    Refinement,
    SentenceSource,
    Shard,
)
from wsstool.stages.options.pictures import SlideScale, Windowing

NO_GATE = Unused(lambda o: o.gate is None, "without --gate")


@dataclass(frozen=True, kw_only=True)
class Prediction(ImageFolder, Shard, Refinement, PublishedNetwork, Inference, RecordOutput):
    """Options of both kinds of output."""

    weights: Path = option(..., "trained weights (.pth)", panel=MODEL, key=False)
    class_list: Path | None = redeclared(DataFolder, "class_list", None, key=True)
    flip: bool = option(
        False, "average with the horizontally flipped image", panel=METHOD, spelling="--flip/--no-flip"
    )
    batch_size: int = redeclared(Inference, "batch_size", 4)


@dataclass(frozen=True, kw_only=True)
class Ensemble(Options):
    """Which of the networks of the weights are used."""

    ensemble: bool = option(
        False, "average the two networks of a coteaching run", panel=METHOD, spelling="--ensemble"
    )


@dataclass(frozen=True, kw_only=True)
class MapThreshold(Options):
    """From maps to masks of objects."""

    threshold: float = option(
        0.5,
        "masks of boxes and sentences only: map value from which a pixel belongs to the object",
        panel=METHOD,
        above=0,
        below=1,
    )


@dataclass(frozen=True, kw_only=True)
class LabelMapOptions(Prediction, DataFolder, Corruption, SlideScale, Windowing, Ensemble):
    """A segmenter that labels whole images."""

    probabilities: bool = option(
        False,
        "write the probability of each class (a cam file, one value every 4 pixels) in place of label maps",
        panel=OUTPUT,
        spelling="--probabilities",
    )
    targets: Literal["all", "labels"] = option(
        "all", "allowed classes: all, or background and the tagged classes", panel=METHOD
    )
    scale: list[float] | None = option(
        None, "image scale; repeatable, the results are averaged; default 1", panel=METHOD, above=0, at_most=8
    )
    dense: DenseMethod | None = option(
        None,
        "compute a score at every pixel, without upsampling, for FCNs with one score map (fcn32s-..., "
        "fcn8s-tiny): the same result in one pass, or in stride x stride passes, which at stride 32 costs "
        "about a thousand times as much; for small images",
        panel=METHOD,
        key="changed",
    )
    gate: Path | None = option(
        None,
        "classifier weights (.pth): only classes that it detects in an image are allowed there",
        panel=METHOD,
        key=False,
    )
    gate_threshold: float = option(
        0.1,
        "score above which the gate keeps a class",
        panel=METHOD,
        at_least=0,
        below=1,
        key="changed",
        unused=NO_GATE,
    )
    gate_form: Literal["forbid", "multiply"] = option(
        "forbid",
        "logit of a class that is not kept: 'forbid': -inf, and the class with the best score is always "
        "kept; 'multiply': 0, as published, which still beats negative logits, and class "
        "0 wins where no class is kept",
        panel=METHOD,
        key="changed",
        unused=NO_GATE,
    )
    dtype: Literal["float16", "float32"] = option(
        "float16",
        "number type of the stored probabilities",
        panel=OUTPUT,
        unused=Unused(lambda o: not o.probabilities, "without --probabilities"),
    )


@dataclass(frozen=True, kw_only=True)
class ObjectMaskOptions(Prediction, BoxSource, BoxWindows, MapThreshold):
    """A network that masks the objects of boxes."""


@dataclass(frozen=True, kw_only=True)
class SentenceMaskOptions(Prediction, SentenceSource, MapThreshold, Ensemble):
    """A network that masks the objects that sentences name."""

    data: Path = redeclared(Prediction, "data", ..., help="data folder; for sentences also an image file")
    expression: list[str] | None = option(
        None,
        "sentence that names an object, asked about every image; repeatable; default: --expressions",
        panel=INPUT,
        metavar="TEXT",
        key=False,
    )


@dataclass(frozen=True, kw_only=True)
class PredictOptions(SentenceMaskOptions, LabelMapOptions, ObjectMaskOptions):
    """Label maps, or the masks of boxes or sentences: the weights and ``boxes`` decide."""
