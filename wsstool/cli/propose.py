"""``wsstool propose``."""

from __future__ import annotations

from typing import Annotated

import typer

from wsstool.cli import options
from wsstool.cli.run import call


def propose(
    data: options.Data,
    output: options.Output = None,
    method: Annotated[
        options.Proposer,
        typer.Option(
            help="how regions are found; 'wsstool methods' compares", rich_help_panel=options.METHOD
        ),
    ] = "tree",
    settings: options.Settings = None,
    max_proposals: Annotated[
        int,
        typer.Option(
            help="rows an image: proposals and what only builds them; the best stay",
            rich_help_panel=options.METHOD,
        ),
    ] = 4000,
    min_area: Annotated[
        int, typer.Option(help="smallest proposal, pixels", rich_help_panel=options.METHOD)
    ] = 20,
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
    wsstool propose data/ --method felzenszwalb --set scales=100,300 | wsstool eval --truth data/
    """
    call("propose:propose", locals())
