"""``wsstool train-contour``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from wsstool.cli import options
from wsstool.cli.run import call


def _own(help: str, panel: str = options.TRAINING, metavar: str | None = None):
    return typer.Option(help=help, rich_help_panel=panel, metavar=metavar)


def train_contour(
    data: options.Data,
    output: options.TrainedWeights = Path("contour.pth"),
    boxes: options.BoxFile = None,
    box_format: options.BoxFormat = "auto",
    loss: Annotated[
        list[str] | None,
        _own(
            "a loss and its weight; repeatable, summed; default: tightness=2 pairwise=1, which fills the "
            "object; tightness=1 zero=0.05 keeps its outline",
            options.METHOD,
            "NAME=WEIGHT",
        ),
    ] = None,
    settings: options.Settings = None,
    box_slack: Annotated[
        float,
        _own(
            "for loose boxes: share of each side, from the border inwards, that may be empty, [0, .5)",
            options.METHOD,
        ),
    ] = 0.0,
    selection: Annotated[
        Path | None,
        _own(
            "selection file whose masks the loss 'mask' learns from (a further round); default: the true "
            "masks in the box file (the fully supervised twin)",
            options.METHOD,
        ),
    ] = None,
    min_score: Annotated[
        float, _own("masks of --selection with a lower quality score are not learned, [0, 1]", options.METHOD)
    ] = 0.0,
    window: Annotated[
        Literal["box", "image"],
        _own("what is shown: the box with margins, or the whole image (then with a --condition)"),
    ] = "box",
    margin_min: Annotated[float, _own("least margin around the box, share of its side, >= 0")] = 0.05,
    margin_max: Annotated[
        float, _own("greatest margin; each side is drawn anew each time, else the network draws the box")
    ] = 0.6,
    crop_size: Annotated[int, _own("side of the training views, pixels")] = 128,
    condition: Annotated[
        Literal["none", "class"],
        _own("what tells the network the object: nothing, or its class", options.MODEL),
    ] = "none",
    arch: Annotated[str, _own("backbone; 'wsstool methods' lists them", options.MODEL)] = "mobilenet-v2",
    init: options.StartWeights = None,
    width: Annotated[int, _own("channels of the decoder, a multiple of 8", options.MODEL)] = 64,
    frozen_stride: Annotated[
        int,
        _own("with --init, parts of the backbone up to this stride are not trained; 0: none", options.MODEL),
    ] = 0,
    normalization: Annotated[
        Literal["auto", "imagenet", "none"],
        _own("of the input; none: colours in [0, 1]; auto: as --init says, else imagenet", options.MODEL),
    ] = "auto",
    split: options.Split = None,
    class_list: options.ClassListFile = None,
    flip: options.MirroredViews = True,
    color_jitter: options.ColorJitter = 0.0,
    epochs: Annotated[
        int | None, _own("passes over the objects; default: as many as --views asks for, at least 5")
    ] = None,
    views: Annotated[int, _own("views of objects in all, without --epochs")] = 8000,
    batch_size: Annotated[int, _own("objects a step, at least 1", options.RUNTIME)] = 16,
    lr: options.LearningRate = 2e-3,
    backbone_rate: options.BackboneRate = None,
    optimizer: options.Optimizer = "adamw",
    schedule: options.Schedule = "poly",
    warmup_epochs: options.WarmupEpochs = 0.0,
    weight_decay: options.WeightDecay = 1e-2,
    clip: options.Clip = 0.0,
    ema: options.Ema = 0.0,
    amp: options.Amp = True,
    workers: options.Workers = 2,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    max_failed: options.MaxFailed = 0,
    force: options.Force = False,
) -> None:
    """Train a network that maps single objects, from boxes alone; goes on where an interrupted run stopped.

    OUTPUT.part holds an unfinished run, OUTPUT.log.jsonl the figures of each epoch. No mask is read unless
    the loss 'mask' asks for one.

    Examples: wsstool train-contour data/ --boxes boxes.json --init mobilenet_v2.pth -o contour.pth;
    wsstool train-contour data/ --loss tightness=1 --loss zero=0.05 -o outline.pth;
    wsstool train-contour data/ --loss mask=1 --loss tightness=.5 --selection masks.h5 --init contour.pth
    -o second.pth
    """
    call("train.train_contour:train_contour", locals())
