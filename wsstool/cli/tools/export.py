"""``wsstool export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wsstool.cli import options
from wsstool.cli.run import call, messages


def export(
    source: options.Source = None,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="folder (png, yolo, voc) or file to write",
            rich_help_panel=options.OUTPUT,
        ),
    ] = ...,  # type: ignore[assignment]
    format: Annotated[
        options.ExportFormat | None,
        typer.Option(
            help="png is for mask files, all others for selection files; default: png or coco",
            rich_help_panel=options.METHOD,
        ),
    ] = None,
    settings: options.Settings = None,
    like: options.Like = None,
    score_threshold: Annotated[
        float,
        typer.Option(help="instances scored lower are left out, [0, 1]", rich_help_panel=options.METHOD),
    ] = 0.0,
    layer: Annotated[
        str | None,
        typer.Option(help="layer of a mask file; default: all, in folders", rich_help_panel=options.INPUT),
    ] = None,
    prefix: Annotated[
        str | None,
        typer.Option(
            help="in front of a layer's name as the name of its folder, such as PM_",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    flat: Annotated[
        bool,
        typer.Option(
            "--flat", help="leave out the folders that the images lie in", rich_help_panel=options.OUTPUT
        ),
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="write into a folder that is not empty, or over a file",
            rich_help_panel=options.OUTPUT,
        ),
    ] = False,
    max_failed: options.MaxFailed = 0,
) -> None:
    """Convert masks to PNG, COCO, CVAT, Label Studio, YOLO or VOC.

    Label maps become palette PNGs; the instance masks of a selection file become one of the other formats.

    Examples:
        wsstool export masks.h5 -o masks
        wsstool predict data/ --weights seg.pth | wsstool export -o out
        wsstool export selection.h5 --format cvat -o for-cvat.xml
        wsstool export selection.h5 --set shape=polygon -o instances.json
    """
    found = call("exchange.export:export", locals())
    what = "label maps" if found["format"] == "png" else "masks"
    messages().say(f"{found['written']} {what} in '{found['output']}'")
