"""``wsstool import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wsstool.cli import options
from wsstool.cli.run import call, messages


def import_masks(
    annotations: Annotated[
        Path,
        typer.Argument(
            help="file of COCO, CVAT for images 1.1 or Label Studio (JSON), or its zip", show_default=False
        ),
    ],
    output: options.Output = None,
    images: Annotated[
        Path | None,
        typer.Option(
            help="data folder, to check and spell names by; default: as the file says",
            rich_help_panel=options.INPUT,
        ),
    ] = None,
    class_list: options.ClassListFile = None,
    like: options.Like = None,
    force: options.Force = False,
) -> None:
    """Read the instance masks of another annotation program.

    The result is a selection file. 'train-contour --boxes' reads boxes.

    Examples:
        wsstool import annotations.xml --images data/ -o masks.h5
        wsstool import results.json --like instances.json | wsstool export --format cvat -o for-cvat.xml
    """
    found = call("exchange.import_masks:import_masks", locals())
    messages().say(f"{found['masks']} masks in {found['images']} images")
