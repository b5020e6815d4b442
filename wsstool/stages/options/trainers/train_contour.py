"""The options of ``train-contour``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wsstool.errors import UsageError
from wsstool.options import Unused, option, redeclared
from wsstool.registries.backbones import check_backbone
from wsstool.registries.segmenters import reads_sentences, split_referring
from wsstool.registry import BOX_LOSSES
from wsstool.stages.options.choices import Optimizer
from wsstool.stages.options.groups import METHOD, MODEL, BoxSource, DataFolder
from wsstool.stages.options.trainers.sentences import WITH_SENTENCES, SentenceTraining
from wsstool.stages.options.trainers.training import (
    TrainerOptions,
    TrainingImages,
    step_option,
)

WHOLE_IMAGE = Unused(lambda o: o.window == "image", "with --window image, which has no margin")


@dataclass(frozen=True, kw_only=True)
class TrainContourOptions(TrainerOptions, TrainingImages, BoxSource, SentenceTraining):
    """A network that maps single objects, trained on boxes."""

    data: Path = redeclared(DataFolder, "data", ...)
    boxes: Path | None = redeclared(BoxSource, "boxes", None, unused=(WITH_SENTENCES,))
    box_format: Literal["auto", "xywh", "xyxy", "cxcywh"] = redeclared(
        BoxSource, "box_format", "auto", key="changed", unused=(WITH_SENTENCES,)
    )
    class_list: Path | None = redeclared(TrainingImages, "class_list", None, unused=(WITH_SENTENCES,))
    output: Path = redeclared(TrainerOptions, "output", Path("contour.pth"))
    loss: list[str] | None = option(
        None,
        "loss and its weight; repeatable, summed; default: tightness=2 pairwise=1, which fills the object; "
        "tightness=1 zero=0.05 gives its outline",
        metavar="NAME=WEIGHT",
        panel=METHOD,
    )
    box_slack: float = option(
        0.0,
        "for loose boxes: fraction of each side, from the border inwards, that may be empty",
        at_least=0,
        below=0.5,
        panel=METHOD,
    )
    selection: Path | None = option(
        None,
        "selection file with masks for the loss 'mask' (a further round); default: the ground-truth masks "
        "in the box file (the fully supervised reference)",
        key=False,
        panel=METHOD,
    )
    min_score: float = option(
        0.0,
        "minimum quality score of the masks of --selection used for training",
        at_least=0,
        at_most=1,
        unused=Unused(lambda o: o.selection is None, "without --selection"),
        panel=METHOD,
    )
    window: Literal["box", "image"] = step_option(
        "box",
        "content of a training crop: the box with margins, or the whole image (then with a --condition)",
        unused=WITH_SENTENCES,
    )
    margin_min: float = step_option(
        0.05,
        "smallest margin around the box, as a fraction of its side",
        at_least=0,
        unused=(WITH_SENTENCES, WHOLE_IMAGE),
    )
    margin_max: float = step_option(
        0.6,
        "largest margin; drawn at random per side, so that the network cannot learn to draw the box",
        at_least=0,
        unused=(WITH_SENTENCES, WHOLE_IMAGE),
    )
    crop_size: int = step_option(
        128, "side of the training crops in pixels; with sentences, of the resized images", at_least=8
    )
    flip: bool = redeclared(TrainerOptions, "flip", True, unused=(WITH_SENTENCES,))
    color_jitter: float = redeclared(TrainerOptions, "color_jitter", 0.0)
    condition: Literal["none", "class"] = option(
        "none",
        "additional input that identifies the object: nothing, or its class",
        unused=WITH_SENTENCES,
        panel=MODEL,
    )
    arch: str = option(
        "mobilenet-v2",
        "backbone; or bcam-BACKBONE, brinet-BACKBONE, which map what a sentence names; 'wsstool methods' "
        "lists them",
        panel=MODEL,
    )
    width: int = option(
        64,
        "channels of the decoder, a multiple of 8",
        at_least=8,
        unused=WITH_SENTENCES,
        panel=MODEL,
    )
    frozen_stride: int = option(
        0,
        "with --init: freeze the backbone up to this stride, 0: no layer",
        at_least=0,
        unused=Unused(lambda o: o.init is None, "without --init"),
        panel=MODEL,
    )
    normalization: Literal["auto", "imagenet", "none"] = option(
        "auto",
        "scaling of the input; none: colours in [0, 1]; auto: that of --init, else imagenet",
        panel=MODEL,
    )
    epochs: int | None = redeclared(  # type: ignore[assignment]
        TrainerOptions,
        "epochs",
        None,
        help="passes over the objects or sentences; default: enough for --views, of objects at least 5",
    )
    views: int | None = step_option(
        None,
        "total number of training crops, default 8000; with sentences, of sentences, default 60000",
        at_least=1,
        key=False,
        unused=Unused(lambda o: o.epochs is not None, "with --epochs"),
    )
    batch_size: int = redeclared(TrainerOptions, "batch_size", 16, help="objects or sentences per step")
    lr: float = redeclared(TrainerOptions, "lr", 2e-3)
    optimizer: Optimizer = redeclared(TrainerOptions, "optimizer", "adamw")
    weight_decay: float = redeclared(TrainerOptions, "weight_decay", 1e-2)

    def __post_init__(self) -> None:
        super().__post_init__()
        loss_weights(self.loss or ())

    def check_paths(self) -> None:
        (split_referring if reads_sentences(self.arch) else check_backbone)(self.arch)
        super().check_paths()


def loss_weights(losses: Sequence[str]) -> dict[str, float]:
    """Parse ``NAME=WEIGHT`` texts.

    Raises:
        UsageError: an unknown or repeated loss, a weight that is not positive, or ``zero`` alone.

    >>> loss_weights(["tightness=2", "pairwise"])
    {'tightness': 2.0, 'pairwise': 1.0}
    """
    weights: dict[str, float] = {}
    for text in losses:
        name, equals, number = text.partition("=")
        try:
            weight = float(number) if equals else 1.0
        except ValueError:
            weight = -1.0
        if not 0 < weight < float("inf"):
            raise UsageError(f"--loss {text}: write NAME=WEIGHT with a weight above 0")
        if name in weights:
            raise UsageError(f"--loss {name} is given twice")
        if name not in BOX_LOSSES.names():
            BOX_LOSSES.load(name)  # says which there are
        weights[name] = weight
    if [*weights] == ["zero"]:
        raise UsageError("--loss zero alone leads to empty maps; add --loss tightness=1")
    return weights
