"""``wsstool train-cls``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from wsstool.cli import options
from wsstool.cli.run import call


def _own(help: str, panel: str = options.TRAINING):
    return typer.Option(help=help, rich_help_panel=panel)


def train_cls(
    data: Annotated[
        Path, typer.Argument(help="data folder with tags, or a cam or mask file (its images and labels)")
    ],
    output: options.TrainedWeights = Path("cls.pth"),
    arch: Annotated[
        str,
        _own("backbone: tiny, mobilenet-v2, resnet-18, resnet38d, vgg-16, fan-tiny, ...", options.MODEL),
    ] = "mobilenet-v2",
    init: options.StartWeights = None,
    output_stride: Annotated[
        int | None,
        _own("image pixels a step of the class maps: 32, 16, 8 or 4; default 16, tiny 8", options.MODEL),
    ] = None,
    pool: Annotated[
        Literal["average", "max", "lse", "topk"], _own("how class maps become class scores", options.MODEL)
    ] = "average",
    dropout: Annotated[
        float, _own("share of feature channels dropped in training, [0, 1)", options.MODEL)
    ] = 0.0,
    head_bias: Annotated[
        bool,
        typer.Option(
            "--head-bias/--no-head-bias", help="give the head a bias", rich_help_panel=options.MODEL
        ),
    ] = True,
    attention: Annotated[
        options.Attention | None,
        _own(
            "what becomes of the features in training; 'wsstool methods' lists the options that --set takes",
            options.METHOD,
        ),
    ] = None,
    settings: options.Settings = None,
    normalization: Annotated[
        Literal["imagenet", "none"], _own("of the input channels", options.MODEL)
    ] = "imagenet",
    split: options.Split = None,
    val_split: Annotated[
        str | None,
        _own("images that choose the epoch that is kept; default: the last epoch is kept", options.INPUT),
    ] = None,
    labels: options.Labels = None,
    class_list: options.ClassListFile = None,
    images: options.Images = None,
    image_size: Annotated[int, _own("side of the training views, pixels")] = 224,
    area: Annotated[float, _own("least share of the image that a view shows, (0, 1]")] = 0.3,
    flip: options.MirroredViews = True,
    flip_vertical: Annotated[
        bool,
        typer.Option(
            "--flip-vertical/--no-flip-vertical",
            help="also top to bottom: images without an up",
            rich_help_panel=options.TRAINING,
        ),
    ] = False,
    color_jitter: options.ColorJitter = 0.2,
    epochs: options.Epochs = 20,
    batch_size: options.BatchSize = 16,
    drop_last: Annotated[
        bool,
        typer.Option(
            "--drop-last/--no-drop-last",
            help="leave out a last batch that is not full",
            rich_help_panel=options.TRAINING,
        ),
    ] = False,
    lr: options.LearningRate = 1e-3,
    backbone_rate: options.BackboneRate = None,
    freeze: Annotated[
        list[str] | None,
        _own("layer of the backbone that is not trained; repeatable; 'none': none, whatever a recipe says"),
    ] = None,
    freeze_norm: Annotated[
        bool,
        typer.Option(
            "--freeze-norm/--no-freeze-norm",
            help="batch norms keep their statistics and weights",
            rich_help_panel=options.TRAINING,
        ),
    ] = False,
    optimizer: options.Optimizer = "adamw",
    momentum: options.Momentum = 0.9,
    schedule: options.Schedule = "cosine",
    warmup_epochs: options.WarmupEpochs = 0.5,
    weight_decay: options.WeightDecay = 0.01,
    clip: options.Clip = 0.0,
    ema: options.Ema = 0.0,
    loss: Annotated[
        Literal["auto", "soft-margin", "cross-entropy"],
        _own("auto: cross-entropy where every image has one tag, else soft-margin"),
    ] = "auto",
    probe: Annotated[
        bool,
        typer.Option(
            "--probe/--no-probe",
            help="fit the head alone, exactly, on the frozen start weights: seconds, no epochs; "
            "uses --scale, --penalty, --balanced",
            rich_help_panel=options.TRAINING,
        ),
    ] = False,
    scale: Annotated[
        list[float] | None, typer.Option(help="image scale that --probe sees, > 0; repeatable; default 1")
    ] = None,
    penalty: Annotated[
        float, _own("of --probe on large weights, > 0; .03 for photographs, .5 for tissue")
    ] = 0.03,
    balanced: Annotated[
        bool,
        typer.Option(
            "--balanced/--no-balanced",
            help="of --probe: positives and negatives of a class weigh the same",
            rich_help_panel=options.TRAINING,
        ),
    ] = False,
    intercept: Annotated[
        bool,
        typer.Option(
            "--intercept/--no-intercept",
            help="of --probe: fit a bias too; class maps are better without",
            rich_help_panel=options.TRAINING,
        ),
    ] = False,
    label_smoothing: Annotated[float, _own("share of certainty taken from the tags, [0, 1)")] = 0.0,
    positive_weight: Annotated[float, _own("weight of a tag against its absence, > 0")] = 1.0,
    amp: options.Amp = True,
    workers: options.Workers = 2,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    max_failed: options.MaxFailed = 0,
    force: options.Force = False,
) -> None:
    """Train a classifier on image-level tags; goes on where an interrupted run stopped.

    OUTPUT.part holds an unfinished run, OUTPUT.log.jsonl the figures of each epoch.

    Examples: wsstool train-cls data/ --init mobilenet_v2.pth -o cls.pth;
    wsstool train-cls data/ --split train --val-split val --arch tiny --epochs 40 -o cls.pth
    """
    call("train.train_classifier:train_cls", locals())
