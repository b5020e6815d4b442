"""``wsstool predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from wsstool.cli import options
from wsstool.cli.run import call


def predict(
    data: options.Data,
    weights: options.Weights,
    output: options.Output = None,
    boxes: options.BoxFile = None,
    box_format: options.BoxFormat = "auto",
    margin: options.Margins = None,
    threshold: Annotated[
        float,
        typer.Option(
            help="with a contour network: value of the map from which on a pixel is object, (0, 1)",
            rich_help_panel=options.METHOD,
        ),
    ] = 0.5,
    probabilities: Annotated[
        bool,
        typer.Option(
            "--probabilities",
            help="write the probability of each class (a cam file, a value every 4 pixels) in place of label "
            "maps",
            rich_help_panel=options.OUTPUT,
        ),
    ] = False,
    targets: Annotated[
        Literal["all", "labels"],
        typer.Option(
            help="classes that may occur: all, or background and those tagged", rich_help_panel=options.METHOD
        ),
    ] = "all",
    scale: options.Scales = None,
    flip: options.Flip = False,
    ensemble: Annotated[
        bool,
        typer.Option(
            "--ensemble", help="average the two networks of a coteaching run", rich_help_panel=options.METHOD
        ),
    ] = False,
    arch: Annotated[
        str | None,
        typer.Option(
            help="what a published file is that fits two networks: fcn8s-at-once-vgg-16 for FCN-8s weights "
            "that were trained at once",
            rich_help_panel=options.METHOD,
        ),
    ] = None,
    dense: Annotated[
        options.DenseWay | None,
        typer.Option(
            help="a score at every pixel, not upsampled, of FCNs with one score map (fcn32s-..., "
            "fcn8s-tiny): the same result in one pass, or in stride x stride passes, with 32 about a "
            "thousand times the cost of one; for small pictures",
            rich_help_panel=options.METHOD,
        ),
    ] = None,
    gate: Annotated[
        Path | None,
        typer.Option(
            help="weights of a classifier (.pth): only classes that it sees in an image may occur there",
            rich_help_panel=options.METHOD,
        ),
    ] = None,
    gate_threshold: Annotated[
        float,
        typer.Option(help="score above which the gate keeps a class, [0, 1)", rich_help_panel=options.METHOD),
    ] = 0.1,
    gate_form: Annotated[
        Literal["forbid", "multiply"],
        typer.Option(
            help="what a class gets that is not kept: 'forbid', the logit -inf, and the class with the best "
            "score stays in any case; 'multiply', the logit 0, as published: it still beats negative ones, "
            "and class 0 wins where nothing is kept",
            rich_help_panel=options.METHOD,
        ),
    ] = "forbid",
    refine: options.Refine = None,
    settings: options.Settings = None,
    dtype: Annotated[
        Literal["float16", "float32"],
        typer.Option(help="of the stored probabilities", rich_help_panel=options.OUTPUT),
    ] = "float16",
    split: options.Split = None,
    labels: options.Labels = None,
    class_list: options.ClassListFile = None,
    shard: options.Shard = None,
    batch_size: options.BatchSize = 4,
    workers: options.Workers = 2,
    device: options.Device = "auto",
    max_failed: options.MaxFailed = 0,
    force: options.Force = False,
) -> None:
    """Segment images with a trained segmenter, or the objects of boxes with a contour network.

    Weights of 'train-contour' mask every box of DATA, or of --boxes, into a selection file with a quality
    score for each; so does a segmenter where --boxes is given: what it takes for the class of the box, in the
    box. Of the options under Method --margin, --threshold, --flip, --refine and --set are for that.

    Examples: wsstool predict data/ --boxes new.json --weights contour.pth --flip -o objects.h5;
    wsstool predict data/ --split test --weights seg.pth -o pred.h5;
    wsstool predict data/ --weights seg.pth --scale .75 --scale 1 --flip | wsstool eval --truth data/;
    wsstool predict data/ --weights seg.pth --gate cls.pth -o pred.h5;
    wsstool predict VOCdevkit/VOC2012 --weights fcn8s_from_caffe.pth -o pred.h5
    """
    call("predict.any_weights:predict", {**locals()})  # two stages: the weights say which
