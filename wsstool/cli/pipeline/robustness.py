"""``wsstool robustness``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from wsstool.cli.run import call
from wsstool.cli.tables import print_json, print_tables
from wsstool.errors import SomeFailedError
from wsstool.options import option
from wsstool.stages.options.groups import OUTPUT
from wsstool.stages.options.scoring import RobustnessOptions


@dataclass(frozen=True, kw_only=True)
class RobustnessCommand(RobustnessOptions):
    """The options of the stage and of its display."""

    json: bool = option(False, "print one JSON object", panel=OUTPUT, spelling="--json", key=False)


def robustness(options: RobustnessCommand) -> None:
    """Score a network on corrupted images.

    A classifier is scored by the tags of DATA (accuracy, or mean average precision where images have several
    tags or none), a segmenter by its masks (mIoU), clean and under the corruptions of ImageNet-C at five
    severities. Prints a table on a terminal, else JSON; a score file (-o) as DATA is shown again.

    Examples:
        wsstool robustness data/ --split test --weights seg.pth -o scores.h5
        wsstool robustness data/ --weights cls.pth --corruption noise --corruption fog --severity 3
        wsstool robustness imagenet/val --weights fan.pth --image-size 224 --crop --corrupt-at input
        wsstool merge part-0.h5 part-1.h5 -o scores.h5 && wsstool robustness scores.h5
    """
    try:
        found = call("robustness.robustness:robustness", options)
    except SomeFailedError as error:
        _show(error.summary, options.json)
        raise
    _show(found, options.json)


def _show(found: dict[str, Any], json: bool) -> None:
    if json or not found["images"] or not sys.stdout.isatty():
        print_json(found)
        return
    from wsstool.stages.robustness.tables import columns

    print_tables(columns(found))
