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
        Path, typer.Option("--output", "-o", help="folder for the masks", rich_help_panel=options.OUTPUT)
    ] = ...,  # type: ignore[assignment]
    layer: Annotated[
        str | None,
        typer.Option(help="layer to write; default: all, in folders", rich_help_panel=options.INPUT),
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
        typer.Option("--force", help="write into a folder that is not empty", rich_help_panel=options.OUTPUT),
    ] = False,
    max_failed: options.MaxFailed = 0,
) -> None:
    """Write the masks of a mask file as palette PNGs, and their class list.

    Examples: wsstool export masks.h5 -o masks; wsstool predict data --weights seg.pth | wsstool export -o out
    """
    found = call("export:export", locals())
    messages().say(f"{found['written']} masks in '{found['folder']}'")
