"""The options of ``train-contour``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wsstool.options import Unused, option, redeclared
from wsstool.stages.options.choices import Optimizer
from wsstool.stages.options.common import INPUT, METHOD, MODEL, DataFolder
from wsstool.stages.options.training import (
    TrainerOptions,
    TrainingImages,
    step_option,
)

WHOLE_IMAGE = Unused(lambda o: o.window == "image", "with --window image, which has no margin")


@dataclass(frozen=True, kw_only=True)
class TrainContourOptions(TrainerOptions, TrainingImages):
    """A network that maps single objects, from boxes."""

    data: Path = redeclared(DataFolder, "data", ...)
    boxes: Path | None = option(
        None,
        "box file (COCO, CVAT, Label Studio) or folder (VOC, YOLO); default: found in DATA",
        key=False,
        panel=INPUT,
    )
    box_format: Literal["auto", "xywh", "xyxy", "cxcywh"] = option(
        "auto",
        "meaning of the four numbers of a box; auto: as its format says, refused where that cannot be",
        key="changed",
        panel=INPUT,
    )
    output: Path = redeclared(TrainerOptions, "output", Path("contour.pth"))
    loss: list[str] | None = option(
        None,
        "a loss and its weight; repeatable, summed; default: tightness=2 pairwise=1, which fills the object; "
        "tightness=1 zero=0.05 keeps its outline",
        metavar="NAME=WEIGHT",
        panel=METHOD,
    )
    box_slack: float = option(
        0.0,
        "for loose boxes: share of each side, from the border inwards, that may be empty",
        at_least=0,
        below=0.5,
        panel=METHOD,
    )
    selection: Path | None = option(
        None,
        "selection file whose masks the loss 'mask' learns from (a further round); default: the true masks "
        "in the box file (the fully supervised reference)",
        key=False,
        panel=METHOD,
    )
    min_score: float = option(
        0.0,
        "smallest quality score of a mask of --selection that is learned from",
        at_least=0,
        at_most=1,
        unused=Unused(lambda o: o.selection is None, "without --selection"),
        panel=METHOD,
    )
    window: Literal["box", "image"] = step_option(
        "box", "what a view shows: the box with margins, or the whole image (then with a --condition)"
    )
    margin_min: float = step_option(
        0.05, "smallest margin around the box, as a share of its side", at_least=0, unused=WHOLE_IMAGE
    )
    margin_max: float = step_option(
        0.6,
        "largest margin; each side is drawn anew each time, or the network would learn to draw the box",
        at_least=0,
        unused=WHOLE_IMAGE,
    )
    crop_size: int = step_option(128, "side of the training views in pixels", at_least=8)
    color_jitter: float = redeclared(TrainerOptions, "color_jitter", 0.0)
    condition: Literal["none", "class"] = option(
        "none", "what tells the network the object: nothing, or its class", panel=MODEL
    )
    arch: str = option("mobilenet-v2", "backbone; 'wsstool methods' lists them", panel=MODEL)
    width: int = option(64, "channels of the decoder, a multiple of 8", at_least=8, panel=MODEL)
    frozen_stride: int = option(
        0,
        "with --init: parts of the backbone up to this stride are not trained, 0: none",
        at_least=0,
        unused=Unused(lambda o: o.init is None, "without --init"),
        panel=MODEL,
    )
    normalization: Literal["auto", "imagenet", "none"] = option(
        "auto",
        "scaling of the input; none: colours in [0, 1]; auto: as --init says, else imagenet",
        panel=MODEL,
    )
    epochs: int | None = redeclared(  # type: ignore[assignment]
        TrainerOptions,
        "epochs",
        None,
        help="passes over the objects; default: as many as --views asks for, at least 5",
    )
    views: int = step_option(
        8000,
        "views of objects in all",
        at_least=1,
        key=False,
        unused=Unused(lambda o: o.epochs is not None, "with --epochs"),
    )
    batch_size: int = redeclared(TrainerOptions, "batch_size", 16, help="objects per step")
    lr: float = redeclared(TrainerOptions, "lr", 2e-3)
    optimizer: Optimizer = redeclared(TrainerOptions, "optimizer", "adamw")
    weight_decay: float = redeclared(TrainerOptions, "weight_decay", 1e-2)
