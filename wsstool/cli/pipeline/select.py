"""``wsstool select``."""

from __future__ import annotations

from wsstool.cli.run import call
from wsstool.stages.options.objects import SelectOptions


def select(options: SelectOptions) -> None:
    """Choose one mask for every box and rate its quality.

    The quality is estimated without ground truth. With --expressions, or from maps of sentences, there is one
    mask per sentence.

    Examples:
        wsstool select proposals.h5 --contour contours.h5 -o selection.h5
        wsstool select data/ --method grabcut -o grabcut.h5
        wsstool select data/ --expressions data/referring.jsonl --method grabcut -o named.h5
        wsstool contour data/ --weights contour.pth | wsstool select --method prior -o masks.h5
    """
    call("objects.select:select", options)
