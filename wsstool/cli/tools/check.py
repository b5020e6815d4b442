"""``wsstool check``."""

from __future__ import annotations

from typing import Annotated

import typer

from wsstool.cli import options
from wsstool.cli.printed import print_line
from wsstool.cli.run import call
from wsstool.cli.tables import print_json


def check(
    sources: options.Sources,
    full: Annotated[
        bool,
        typer.Option(
            "--full", help="read every byte and compare the checksum", rich_help_panel=options.METHOD
        ),
    ] = False,
    json: options.Json = False,
) -> None:
    """Check that record files are complete and undamaged.

    Without --full, only structure, record table and length of a file are checked, and damaged pixels are not
    noticed. The exit code is 65 if a file is damaged or incomplete.

    Examples:
        wsstool check cams.h5
        wsstool check --full *.h5 && make deploy
    """
    result = call("streams.check:check", {"sources": sources, "full": full})
    if json:
        print_json(result)
        return
    for one in result["files"]:
        failed = "" if not one["failed"] else f", {one['failed']} failed"
        checked = "whole" if one["full"] else "structure and record table are whole, pixels not read (--full)"
        print_line(f"{one['file']}: {checked}, {one['kind']}, {one['images']} images{failed}")
