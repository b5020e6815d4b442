"""``wsstool cache``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from wsstool.cli import options
from wsstool.cli.printed import print_line
from wsstool.cli.run import call
from wsstool.cli.tables import print_json, print_table


def cache(
    action: Annotated[
        Literal["ls", "rm", "prune"],
        typer.Argument(help="ls: list; rm: remove the results of KEYS; prune: remove down to --max-size"),
    ],
    keys: Annotated[
        list[str] | None, typer.Argument(help="key prefixes of at least 4 digits", show_default=False)
    ] = None,
    max_size: Annotated[
        str | None,
        typer.Option(
            help="size to prune to, such as 500M or 10G; the least recently used results are removed first",
            metavar="SIZE",
            rich_help_panel=options.METHOD,
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """List or remove cached results of commands in pipes.

    A command that writes to a pipe caches its result when WSSTOOL_CACHE is set: to 1 for the user's cache
    folder, or to a folder. The same command with the same inputs and options then returns the cached result,
    or resumes where it was interrupted. With -o FILE, the file itself serves this purpose, and nothing is
    cached.

    Examples:
        WSSTOOL_CACHE=1 wsstool cam data/ --weights cls.pth | wsstool pseudo-mask -o masks.h5
        wsstool cache ls
        wsstool cache prune --max-size 10G
    """
    found = call("streams.cache:cache", {"action": action, "keys": keys, "max_size": max_size})
    if json:
        print_json(found)
        return
    verb = "" if action == "ls" else "removed "
    rows = [
        [one["key"][:12], one.get("stage") or "-", one.get("images"), one["bytes"] / 1e6, _state(one)]
        for one in found["entries"]
    ]
    if rows:
        print_table(rows, ["key", "stage", "images", "MB", ""])
    print_line(f"{found['folder']}: {verb}{len(rows)} results, {found['bytes'] / 1e6:.1f} MB now")


def _state(one: dict[str, Any]) -> str:
    return "" if one["complete"] else "unfinished"
