"""``wsstool methods``."""

from __future__ import annotations

from wsstool.cli import options
from wsstool.cli.run import call
from wsstool.cli.tables import print_json, print_table
from wsstool.family import setting_texts


def methods(json: options.Json = False) -> None:
    """List all methods with paper, cost and settings.

    Examples:
        wsstool methods
        wsstool methods --json | jq '.methods[].name'
    """
    found = call("program.methods:methods", {})
    if json:
        print_json(found)
        return
    rows = [
        (one["place"], one["name"], one["paper"], one["cost"], _settings(one["options"]))
        for one in found["methods"]
    ]
    print_table(rows, ("option", "name", "paper", "cost", "--set"))
    print()
    print("train-cls --arch BACKBONE:", ", ".join(found["backbones"]))
    print("cotrain --arch HEAD-BACKBONE, HEAD one of:", ", ".join(found["heads"]))
    print("train-contour, cotrain --arch READER-BACKBONE, READER one of:", ", ".join(found["readers"]))


def _settings(own: dict[str, object]) -> str:
    return " ".join(setting_texts(own)) or "-"
