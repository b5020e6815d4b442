"""``wsstool cotrain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from wsstool.cli import options
from wsstool.cli.run import call


def _own(help: str, panel: str = options.TRAINING, metavar: str | None = None):
    return typer.Option(help=help, rich_help_panel=panel, metavar=metavar)


def cotrain(
    source: Annotated[
        str | None,
        typer.Argument(
            help="mask file ('-' or nothing: standard input), or a data folder: true masks, fully supervised",
            show_default=False,
        ),
    ] = None,
    output: options.TrainedWeights = Path("seg.pth"),
    method: Annotated[
        options.Cotrainer, _own("how wrong labels are dealt with; 'wsstool methods' compares", options.METHOD)
    ] = "plain",
    settings: options.Settings = None,
    noise_rate: Annotated[
        str,
        _own(
            "share of wrong labels, [0, 1), or auto: estimated; for methods that select pixels",
            options.METHOD,
            "auto|SHARE",
        ),
    ] = "auto",
    layer_weight: Annotated[
        list[str] | None,
        _own(
            "weight of each label map of an image, in their order or by name; repeatable; default: equal",
            options.METHOD,
            "[LAYER=]WEIGHT",
        ),
    ] = None,
    ignore_class: Annotated[
        str | None,
        _own("class that is not learned, by name or id (white background): no output for it", options.METHOD),
    ] = None,
    arch: Annotated[
        str,
        _own(
            "HEAD-BACKBONE with a head of deeplabv3plus, deeplabv3, lraspp, pyramid, fcn, linear; "
            "or fcn32s, fcn16s, fcn8s, fcn8s-at-once, on vgg-16 as published, and fcn4s, fcn2s on backbones "
            "with finer maps; fcn-tiny is the smallest",
            options.MODEL,
        ),
    ] = "deeplabv3-mobilenet-v2",
    stage: Annotated[
        list[str] | None,
        _own(
            "train several networks in place of --arch, each started from the one before; repeatable; the "
            "last is OUTPUT, the others stand beside it",
            options.MODEL,
            "ARCH[=LR]",
        ),
    ] = None,
    init: options.StartWeights = None,
    output_stride: Annotated[
        int | None,
        _own("image pixels a step of the features: 32, 16, 8 or 4; default 16, tiny 8", options.MODEL),
    ] = None,
    width: Annotated[
        int | None,
        _own(
            "channels inside the head; default 256 (deeplabs), 192 (pyramid), 128 (lraspp), a quarter (fcn), "
            "4096 (fcn8s-vgg-16 and the like)",
            options.MODEL,
        ),
    ] = None,
    normalization: Annotated[
        Literal["auto", "imagenet", "none", "caffe"],
        _own(
            "of the input; none: colours in [0, 1]; caffe: blue first, 0 to 255, minus a mean, for weights "
            "from Caffe; auto: as --init says, else imagenet",
            options.MODEL,
        ),
    ] = "auto",
    upsampling: Annotated[
        Literal["fixed", "learned"],
        _own("of fcn8s and the like: bilinear, or learned but for the last step", options.MODEL),
    ] = "fixed",
    images: options.Images = None,
    split: options.Split = None,
    class_list: options.ClassListFile = None,
    masks: Annotated[
        Path | None, _own("folder of the true masks of a data folder; default: found in it", options.INPUT)
    ] = None,
    val: Annotated[
        Path | None,
        _own(
            "data folder whose true masks choose the epoch that is kept; default: the last epoch",
            options.INPUT,
        ),
    ] = None,
    val_split: Annotated[str | None, _own("part of the --val folder", options.INPUT)] = None,
    crop_size: Annotated[
        int | None,
        _own("side of the training views, pixels; 0: whole images; default: fits half of them, at most 320"),
    ] = None,
    scale_min: Annotated[float, _own("least size of an image in its view, relative, > 0")] = 0.5,
    scale_max: Annotated[float, _own("greatest size of an image in its view, relative")] = 2.0,
    flip: options.MirroredViews = True,
    color_jitter: options.ColorJitter = 0.3,
    blur: Annotated[
        float, _own("largest radius, pixels, of the blur that half of the views get; 0: none")
    ] = 0.0,
    epochs: options.Epochs = 30,
    batch_size: options.BatchSize = 8,
    lr: options.LearningRate = 0.02,
    backbone_rate: options.BackboneRate = None,
    bias_rate: Annotated[
        float | None,
        _own("learning rate of biases relative to weights, without weight decay; default: as weights"),
    ] = None,
    optimizer: options.Optimizer = "sgd",
    momentum: options.Momentum = 0.9,
    schedule: options.Schedule = "poly",
    fall_epochs: Annotated[
        int, _own("with 'step': a tenth of the rate after every so many epochs; 0: after 60 and 85 %")
    ] = 0,
    warmup_epochs: options.WarmupEpochs = 0.0,
    warmup_start: Annotated[
        float | None, _own("share of the rate that it rises from, [0, 1]; default: the rise of one step")
    ] = None,
    weight_decay: options.WeightDecay = 1e-4,
    clip: options.Clip = 0.0,
    ema: options.Ema = 0.0,
    amp: options.Amp = True,
    workers: options.Workers = 2,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe/--no-probe",
            help="fit the head 'linear' exactly on the frozen start weights: a minute, no epochs, and "
            "hardly any of the errors of pseudo-masks; uses --scale, --penalty",
            rich_help_panel=options.TRAINING,
        ),
    ] = False,
    scale: Annotated[
        list[float] | None, typer.Option(help="image scale that --probe sees, > 0; repeatable; default 1")
    ] = None,
    penalty: Annotated[float, _own("of --probe on large weights, > 0")] = 1.0,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    max_failed: options.MaxFailed = 0,
    force: options.Force = False,
) -> None:
    """Train a segmenter on pseudo-masks; goes on where an interrupted run stopped.

    OUTPUT.part holds an unfinished run, OUTPUT.log.jsonl the figures of each epoch. Given a data folder
    instead of a mask file, it trains the fully supervised twin on the true masks.

    Examples: wsstool cotrain masks.h5 --init cls.pth -o seg.pth;
    wsstool cotrain masks.h5 --method coteaching --noise-rate .05 --val data/ --val-split val -o seg.pth;
    wsstool cotrain data/ --split train --init cls.pth -o twin.pth;
    wsstool cotrain masks.h5 --recipe fcn8s-staged --init vgg16_from_caffe.pth -o seg.pth
    """
    call("train.cotrain:cotrain", locals())
