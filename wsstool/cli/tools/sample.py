"""``wsstool sample``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from wsstool.cli import options
from wsstool.cli.run import call


def sample(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="folder to make", rich_help_panel=options.OUTPUT)
    ],
    kind: Annotated[
        Literal["objects", "tissue"],
        typer.Option(
            help="objects: five classes in clutter, with boxes; tissue: four textures, no background",
            rich_help_panel=options.INPUT,
        ),
    ] = "objects",
    count: Annotated[int, typer.Option(help="pictures, 1..100000", rich_help_panel=options.INPUT)] = 400,
    size: Annotated[
        int,
        typer.Option(help="rows and columns of a picture, pixels, 32..1024", rich_help_panel=options.INPUT),
    ] = 128,
    seed: options.Seed = 0,
    force: Annotated[
        bool,
        typer.Option("--force", help="replace a folder that is not empty", rich_help_panel=options.OUTPUT),
    ] = False,
) -> None:
    """Draw a small data set: images, labels, boxes and masks.

    The images are drawn from a random seed; nothing is downloaded.

    Examples:
        wsstool sample -o data/
        wsstool sample --kind tissue --count 200 --seed 7 -o tissue/
    """
    call("program.sample:sample", locals())
