"""``wsstool eval``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from wsstool.cli.run import call, messages
from wsstool.cli.tables import print_json, print_tables
from wsstool.errors import BelowThresholdError
from wsstool.options import option
from wsstool.stages.options.groups import OUTPUT
from wsstool.stages.options.scoring import EvalOptions


@dataclass(frozen=True, kw_only=True)
class EvalCommand(EvalOptions):
    """The options of the stage and of its display."""

    json: bool = option(False, "print one JSON object", panel=OUTPUT, spelling="--json")


def evaluate(options: EvalCommand) -> None:
    """Score predictions against ground truth.

    Label maps and class maps are compared with the blind baseline, which assigns one image-level label of an
    image to all its pixels; proposals, masks of boxes and detections are scored against annotated objects.
    In files with sentences every sentence is a sample, compared with the baselines that do not read it.
    Prints a table on a terminal, else JSON; with -q and -o nothing unless --json is given. Score files (-o)
    of parts of a data set are merged.

    Examples:
        wsstool pseudo-mask cams.h5 | wsstool eval
        wsstool eval masks.h5 --truth data/masks --fail-under 0.6
        wsstool eval predicted.h5 --expressions referring.jsonl --shuffled shuffled.h5
        wsstool eval kept.json --truth instances_val.json --of mask
        wsstool eval part-0.json part-1.json
    """
    try:
        found = call("scoring.evaluate:evaluate", options)
    except BelowThresholdError as error:
        _show(error.summary, options)
        raise
    _show(found, options)


def _show(found: dict[str, Any], options: EvalCommand) -> None:
    if messages().quiet and options.output is not None and not options.json:
        return
    if options.json or not sys.stdout.isatty():
        print_json(found)
        return
    from wsstool.stages.scoring.evaluate import columns

    print_tables(columns(found))
