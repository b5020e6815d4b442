"""``wsstool select``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from wsstool.cli import options
from wsstool.cli.run import call


def select(
    source: Annotated[
        str | None,
        typer.Argument(
            help="proposal file; or, for methods without proposals, a contour file or a data folder; '-' or "
            "nothing: standard input",
            show_default=False,
        ),
    ] = None,
    contour: Annotated[
        str | None,
        typer.Option(help="maps of the boxes; '-': standard input", rich_help_panel=options.INPUT),
    ] = None,
    boxes: Annotated[
        Path | None,
        typer.Option(
            help="box file (COCO) or folder (VOC, YOLO); default: those of the contour file, or of the data "
            "folder",
            rich_help_panel=options.INPUT,
        ),
    ] = None,
    box_format: Annotated[
        str,
        typer.Option(help="how box numbers are meant, such as xyxy", rich_help_panel=options.INPUT),
    ] = "auto",
    split: options.Split = None,
    output: options.Output = None,
    method: Annotated[
        options.Selection,
        typer.Option(
            help="how a mask is chosen: greedy, best and proposal take proposals, the others none",
            rich_help_panel=options.METHOD,
        ),
    ] = "greedy",
    settings: options.Settings = None,
    fallback: Annotated[
        Literal["auto", "prior", "grabcut", "ellipse", "box"],
        typer.Option(
            help="where the method finds nothing; auto: the map if it is of regions, GrabCut if the images "
            "are there, the ellipse",
            rich_help_panel=options.METHOD,
        ),
    ] = "auto",
    baselines: Annotated[
        bool,
        typer.Option(
            "--baselines",
            help="also measure box, ellipse, grabcut, proposal and map on the same boxes",
            rich_help_panel=options.METHOD,
        ),
    ] = False,
    images: options.Images = None,
    workers: options.Workers = 2,
    max_failed: options.MaxFailed = 0,
    force: options.Force = False,
) -> None:
    """Choose a mask for every box, with a quality score that needs no truth.

    Examples: wsstool select proposals.h5 --contour contours.h5 -o selection.h5;
    wsstool select data/ --method grabcut -o grabcut.h5;
    wsstool contour data/ --weights contour.pth | wsstool select --method prior -o masks.h5
    """
    call("objects.select:select", locals())
