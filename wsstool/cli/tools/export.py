"""``wsstool export``."""

from __future__ import annotations

from wsstool.cli.run import call, messages
from wsstool.stages.options.exchange import ExportOptions


def export(options: ExportOptions) -> None:
    """Export label maps, object masks or sentences.

    Label maps become palette PNGs; object masks become COCO, CVAT, Label Studio, YOLO or VOC files; sentences
    become JSON lines, COCO or the REFER layout; masks of sentences become the same, PNGs, or overlays on the
    images.

    Examples:
        wsstool export masks.h5 -o masks
        wsstool predict data --weights seg.pth | wsstool export -o out
        wsstool export selection.h5 --format cvat -o for-cvat.xml
        wsstool export selection.h5 --set shape=polygon -o instances.json
        wsstool export predicted.h5 --format overlay -o pictures
        wsstool export --expressions referring.jsonl --format refer -o refcoco
    """
    found = call("exchange.export:export", options)
    what = "sentences" if options.expressions else "masks"
    messages().say(f"{found['written']} {what} in '{found['output']}'")
