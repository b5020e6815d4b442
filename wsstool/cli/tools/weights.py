"""``wsstool weights``."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from wsstool.cli import options
from wsstool.cli.printed import print_line
from wsstool.cli.run import call
from wsstool.cli.tables import print_json, print_table


def weights(
    action: Annotated[
        Literal["list", "pull", "path", "verify"],
        typer.Argument(
            help="list: what there is and where it lies; pull: fetch NAMES; path: print where the files lie; "
            "verify: compare checksums, or names and shapes where none is published"
        ),
    ],
    names: Annotated[
        list[str] | None, typer.Argument(help="weights, as listed, or timm:NAME[.TAG]", show_default=False)
    ] = None,
    json: options.Json = False,
) -> None:
    """List, fetch or verify pretrained weights.

    Weights lie in the folder WSSTOOL_WEIGHTS, by default in the user's cache folder. 'pull' is the only
    command that fetches anything. --init takes their names, and 'imagenet' for those of the chosen network.
    timm:NAME, for any network of timm, is the weights that timm prefers for it.

    Examples:
        wsstool weights list
        wsstool weights pull mobilenet-v2
        wsstool train-cls data/ --arch mobilenet-v2 --init imagenet -o cls.pth
        wsstool weights list timm:vit_small_patch14_dinov2
    """
    found = call("program.weights:weights", {"action": action, "names": names})
    if json:
        print_json(found)
        return
    if action == "path":
        for one in found["weights"]:
            print_line(one["path"])
        return
    rows = [
        [
            one["name"],
            None if one["bytes"] is None else one["bytes"] / 1e6,
            one["licence"],
            one["sha256"][:8] or None,
            one["path"] or "-",
        ]
        for one in found["weights"]
    ]
    if rows:
        print_table(rows, ["name", "MB", "licence", "SHA-256", "file"])
    print_line(f"{found['folder']}: {len(rows)} weights")
