"""``wsstool merge``."""

from __future__ import annotations

from typing import Annotated

import typer

from wsstool.cli import options
from wsstool.cli.run import call


def merge(
    sources: options.Sources,
    output: options.Output = None,
    partial: Annotated[
        bool,
        typer.Option("--partial", help="accept missing parts; default: refuse", rich_help_panel="Input"),
    ] = False,
    force: options.Force = False,
) -> None:
    """Merge the files of several runs with --shard into one.

    Examples:
        wsstool merge cams-*.h5 -o cams.h5
        wsstool merge cams-*.h5 | wsstool pseudo-mask -o masks.h5
    """
    call("streams.merge:merge", locals())
