"""``wsstool cat``."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from wsstool.cli import options
from wsstool.cli.run import call


def cat(
    source: options.Source = None,
    output: options.Output = None,
    compress: Annotated[
        Literal["gzip"] | None,
        typer.Option(help="compress for archiving; default: stream form", rich_help_panel="Output"),
    ] = None,
) -> None:
    """Copy a record file to stream form, or compress it.

    The input may have any HDF5 layout, such as that of h5repack; only stream form can be piped.

    Examples:
        wsstool cat repacked.h5 | wsstool pseudo-mask -o masks.h5
        wsstool cat masks.h5 --compress gzip -o masks.gz.h5
    """
    call("streams.cat:cat", locals())
