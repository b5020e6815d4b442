"""``wsstool propose``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wsstool.cli import options
from wsstool.cli.run import call


def propose(
    data: options.Data,
    output: options.Output = None,
    import_: Annotated[
        Path | None,
        typer.Option(
            "--import",
            help="proposals of another program instead: COCO results or SAM's output (.json), MCG's (.mat), "
            "or a folder of one file an image",
            metavar="FILE",
            rich_help_panel=options.INPUT,
        ),
    ] = None,
    method: Annotated[
        options.Proposer,
        typer.Option(
            help="how regions are found; 'wsstool methods' compares", rich_help_panel=options.METHOD
        ),
    ] = "tree",
    settings: options.Settings = None,
    max_proposals: Annotated[
        int | None,
        typer.Option(
            help="rows an image, for proposals and what only builds them: the best stay; default 4000, "
            "for an import as many as needed",
            rich_help_panel=options.METHOD,
        ),
    ] = None,
    min_area: Annotated[
        int | None,
        typer.Option(
            help="smallest proposal, pixels; default 20, for an import any", rich_help_panel=options.METHOD
        ),
    ] = None,
    max_area: Annotated[
        float,
        typer.Option(help="largest proposal, share of the image, (0, 1]", rich_help_panel=options.METHOD),
    ] = 1.0,
    split: options.Split = None,
    shard: options.Shard = None,
    workers: options.Workers = 2,
    max_failed: options.MaxFailed = 0,
    force: options.Force = False,
) -> None:
    """Propose regions of every image, without labels and without weights.

    Examples: wsstool propose data/ --split train -o proposals.h5;
    wsstool propose data/ --import sam.json -o proposals.h5;
    wsstool propose data/ --method slic | wsstool eval
    """
    call("objects.propose:propose", locals())
