"""``wsstool cam``."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from wsstool.cli import options
from wsstool.cli.run import call


def cam(
    data: options.Data,
    weights: options.Weights,
    output: options.Output = None,
    method: Annotated[
        options.CamMethod,
        typer.Option(help="how maps are made; 'wsstool methods' compares", rich_help_panel=options.METHOD),
    ] = "cam",
    targets: Annotated[
        Literal["labels", "scores", "all"],
        typer.Option(
            help="classes that get a map: those tagged, those scored high, all",
            rich_help_panel=options.METHOD,
        ),
    ] = "labels",
    layer: options.Layers = None,
    scale: options.Scales = None,
    flip: options.Flip = False,
    rectify: Annotated[
        bool | None,
        typer.Option(
            "--rectify/--no-rectify",
            help="keep the positive part of each pass; default: where several are summed",
            rich_help_panel=options.METHOD,
        ),
    ] = None,
    map_stride: Annotated[
        int | None,
        typer.Option(
            help="image pixels a map cell; default: the layer's for one scale, 4 for several",
            rich_help_panel=options.METHOD,
        ),
    ] = None,
    score_threshold: Annotated[
        float,
        typer.Option(
            help="for --targets scores: a class scores above this, [0, 1]", rich_help_panel=options.METHOD
        ),
    ] = 0.5,
    settings: options.Settings = None,
    dtype: Annotated[
        Literal["float16", "float32"], typer.Option(help="of the stored maps", rich_help_panel=options.OUTPUT)
    ] = "float16",
    split: options.Split = None,
    labels: options.Labels = None,
    class_list: options.ClassListFile = None,
    shard: options.Shard = None,
    batch_size: options.BatchSize = 8,
    workers: options.Workers = 2,
    device: options.Device = "auto",
    max_failed: options.MaxFailed = 0,
    force: options.Force = False,
) -> None:
    """Make class activation maps of all images with a trained classifier.

    Examples: wsstool cam data/ --split train --weights cls.pth -o cams.h5;
    wsstool cam data/ --weights cls.pth --scale .5 --scale 1 --flip | wsstool pseudo-mask -o masks.h5
    """
    call("pseudo_masks.cam:cam", locals())
