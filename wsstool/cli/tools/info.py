"""``wsstool info``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from wsstool.cli import options
from wsstool.cli.printed import print_line
from wsstool.cli.run import call
from wsstool.cli.tables import print_fields, print_json

MOST_LISTED = 100
"""Entries of a list in a description that are printed."""


def info(
    source: options.Source = None,
    split: options.Split = None,
    labels: options.Labels = None,
    class_list: options.ClassListFile = None,
    expressions: options.Expressions = None,
    script: Annotated[
        bool,
        typer.Option(
            "--script",
            help="print the commands that reproduce the file, as a shell script",
            rich_help_panel=options.OUTPUT,
        ),
    ] = False,
    json: options.Json = False,
) -> None:
    """Describe a file, a slide, a data folder or annotations.

    For a record file or weights, the description includes the commands that made it. Objects and their
    classes are counted in a data folder with boxes and in an annotation file of COCO, CVAT or Label Studio,
    sentences in a data folder that has some and in a file of JSON lines, REFER or COCO. A slide has levels,
    sizes and microns per pixel.

    Examples:
        wsstool info data/
        wsstool info data/ --split val
        wsstool info data/ --labels annotations.xml
        wsstool info annotations.xml
        wsstool info slide.svs
        wsstool info 'refcoco/refs(unc).p' --split testA
        wsstool info masks.h5 --script > again.sh
    """
    given: dict[str, Any] = {
        "script": script,
        "source": source,
        "split": split,
        "labels": labels,
        "class_list": class_list,
        "expressions": expressions,
    }
    found = call("streams.info:info", given)
    if json:
        print_json(found)
    elif script:
        print("#!/usr/bin/env bash\nset -euo pipefail")
        for package in found.get("packages", ()):
            print_line(f"# needs {package}")
        for command in found.get("commands", ()):
            print(command)
    else:
        print_fields(_without_repeats(found))


def _without_repeats(found: dict[str, Any]) -> dict[str, Any]:
    """The fields without the history inside ``meta``, whose commands are in ``commands``."""
    if "meta" not in found:
        return found
    return {**found, "meta": {k: _short(v) for k, v in found["meta"].items() if k != "provenance"}}


def _short(value: Any) -> Any:
    """A list that would fill several screens by its ends; ``--json`` has it whole."""
    if isinstance(value, list) and len(value) > MOST_LISTED:
        return f"{value[0]} to {value[-1]}, {len(value)} in all"
    return value
