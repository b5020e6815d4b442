"""``wsstool average``."""

from __future__ import annotations

from typing import Annotated

import typer

from wsstool.cli import options
from wsstool.cli.run import call


def average(
    sources: options.Sources,
    weight: Annotated[
        list[float] | None,
        typer.Option(
            help="weight of each file, in order; repeatable; default: equal",
            rich_help_panel=options.METHOD,
        ),
    ] = None,
    output: options.Output = None,
    force: options.Force = False,
) -> None:
    """Average the class maps or probabilities of several networks.

    The files hold maps of the same images and classes, from 'cam' or from 'predict --probabilities'.

    Examples:
        wsstool average mobilenet.cams.h5 lite.cams.h5 | wsstool pseudo-mask -o masks.h5
        wsstool average a.h5 b.h5 --weight 2 --weight 1 | wsstool pseudo-mask --refine crf -o masks.h5
    """
    call("streams.average:average", locals())
