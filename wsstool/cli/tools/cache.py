"""``wsstool cache``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from wsstool.cli import options
from wsstool.cli.run import call
from wsstool.cli.tables import print_json, print_table


def cache(
    action: Annotated[
        Literal["ls", "rm", "prune"],
        typer.Argument(help="ls: list; rm: remove the results of KEYS; prune: remove down to --max-size"),
    ],
    keys: Annotated[
        list[str] | None, typer.Argument(help="first digits of keys, at least 4", show_default=False)
    ] = None,
    max_size: Annotated[
        str | None,
        typer.Option(help="bytes to leave, as 500M or 10G; the least recently used go first", metavar="SIZE"),
    ] = None,
    json: options.Json = False,
) -> None:
    """Look at the cache of results inside pipes, and tidy it.

    A stage that writes to a pipe keeps its result when WSSTOOL_CACHE is set: to 1 for the user's cache
    folder, or to a folder. The same stage with the same inputs and options then sends it again without
    computing, and goes on where it was interrupted. With -o FILE the file itself does that, and nothing is
    cached.

    Examples: WSSTOOL_CACHE=1 wsstool cam data --weights cls.pth | wsstool pseudo-mask -o masks.h5;
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
    print(f"{found['folder']}: {verb}{len(rows)} results, {found['bytes'] / 1e6:.1f} MB now")


def _state(one: dict[str, Any]) -> str:
    return "" if one["complete"] else "unfinished"
