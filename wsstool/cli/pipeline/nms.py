"""``wsstool nms``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from wsstool.cli import options
from wsstool.cli.run import call


def nms(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            help="box or proposal file, COCO results (.json), table (.csv), folder of YOLO predictions; "
            "several: one a model; '-' or nothing: stdin (all but folders)",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="target: .json, .csv, a name without ending for a folder of YOLO text, else a record file; "
            "default: standard output, as the input (with --instances a record file)",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    method: Annotated[
        options.NmsMethod,
        typer.Option(help="the rule; 'wsstool methods' compares", rich_help_panel=options.METHOD),
    ] = "greedy",
    iou_threshold: Annotated[
        float | None,
        typer.Option(
            help="overlap above which boxes compete; default: the rule's", rich_help_panel=options.METHOD
        ),
    ] = None,
    class_aware: Annotated[
        bool,
        typer.Option(
            "--class-aware/--class-agnostic",
            help="whether classes are kept apart, exactly",
            rich_help_panel=options.METHOD,
        ),
    ] = True,
    measure: Annotated[
        Literal["iou", "giou", "diou", "ios"],
        typer.Option(help="of overlap; ios: over the smaller area", rich_help_panel=options.METHOD),
    ] = "iou",
    plus_one: Annotated[
        bool,
        typer.Option(
            "--plus-one", help="x1 and y1 are the last pixel of a box", rich_help_panel=options.METHOD
        ),
    ] = False,
    inclusive: Annotated[
        bool | None,
        typer.Option(
            "--inclusive/--strict",
            help="whether an overlap equal to the threshold suppresses; default: as the rule was published",
            rich_help_panel=options.METHOD,
        ),
    ] = None,
    masks: Annotated[
        bool,
        typer.Option(
            "--masks", help="compare the masks of COCO results, not boxes", rich_help_panel=options.METHOD
        ),
    ] = False,
    score_threshold: Annotated[
        float | None,
        typer.Option(help="leave out lower scores first; default: none", rich_help_panel=options.METHOD),
    ] = None,
    top_before: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="only the best so many of each class, image and group; default: all",
            rich_help_panel=options.METHOD,
        ),
    ] = None,
    top_after: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="keep at most so many of each image and group; default: all",
            rich_help_panel=options.METHOD,
        ),
    ] = None,
    settings: options.Settings = None,
    instances: Annotated[
        Path | None,
        typer.Option(
            help="COCO file with the names, sizes and ids of images and categories, from or to COCO results",
            rich_help_panel=options.INPUT,
        ),
    ] = None,
    drop_invalid: Annotated[
        bool,
        typer.Option(
            "--drop-invalid",
            help="leave out NaN, infinite and inverted boxes; default: an error",
            rich_help_panel=options.INPUT,
        ),
    ] = False,
    max_failed: options.MaxFailed = 0,
    force: options.Force = False,
) -> None:
    """Thin out detections or proposals that show the same object.

    Examples: wsstool propose data/ | wsstool nms --iou-threshold .95 | wsstool select - --contour c.h5;
    wsstool nms detections.json --method soft --set sigma=0.3 -o kept.json
    """
    call("detections.nms:nms", locals())
