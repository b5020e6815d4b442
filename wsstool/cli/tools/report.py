"""``wsstool report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from wsstool.cli import options
from wsstool.cli.run import call, messages


def report(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="cam, mask, contour, selection or score files, as FILE or NAME=FILE, in the order shown"
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="HTML file", rich_help_panel=options.OUTPUT)
    ] = ...,  # type: ignore[assignment]
    truth: options.Truth = None,
    images: options.Images = None,
    twin: Annotated[
        str | None,
        typer.Option(
            help="mask file of the fully supervised reference",
            metavar="[NAME=]FILE",
            rich_help_panel=options.INPUT,
        ),
    ] = None,
    log: Annotated[
        list[Path] | None,
        typer.Option(help="training log (JSON lines); repeatable", rich_help_panel=options.INPUT),
    ] = None,
    strips: Annotated[
        Path | None,
        typer.Option(help="folder for one PNG strip a shown image or object", rich_help_panel=options.OUTPUT),
    ] = None,
    samples: Annotated[
        int,
        typer.Option(
            help="images of each kind: worst, typical, best; of masks of boxes four objects for each of them",
            rich_help_panel=options.OUTPUT,
        ),
    ] = 3,
    title: Annotated[
        str, typer.Option(help="heading of the page", metavar="TEXT", rich_help_panel=options.OUTPUT)
    ] = "Weakly supervised segmentation",
    classes_with_truth: Annotated[
        bool,
        typer.Option(
            "--classes-with-truth",
            help="mean over classes with truth; default: with truth or prediction",
            rich_help_panel=options.METHOD,
        ),
    ] = False,
    ignore_class: Annotated[
        str | None,
        typer.Option(
            help="class whose true pixels do not count, by name or id", rich_help_panel=options.METHOD
        ),
    ] = None,
    ignored_prediction: Annotated[
        Literal["wrong", "background", "skip"],
        typer.Option(help="how to count predicted pixels with value 255", rich_help_panel=options.METHOD),
    ] = "wrong",
    background_threshold: Annotated[
        float,
        typer.Option(help="CAM files only: score of the background, 0 to 1", rich_help_panel=options.METHOD),
    ] = 0.3,
    background: options.Background = "auto",
    bootstrap: Annotated[
        int, typer.Option(help="resamples for the 95 % interval; 0: none", rich_help_panel=options.METHOD)
    ] = 1000,
    seed: options.Seed = 0,
) -> None:
    """Write an HTML report with scores, images and curves.

    It shows every file of a pipeline side by side, and the commands that made them.

    Examples:
        wsstool report cam.h5 pseudo.h5 -o report.html
        wsstool report contours.h5 selection.h5 -o masks.html
        wsstool report CAM=cam.h5 prediction=test.h5 --twin twin.h5 --log seg.jsonl -o report.html
    """
    found = call("report.report:report", locals())
    messages().say(f"{found['output']} ({found['bytes'] / 1e6:.1f} MB)")
