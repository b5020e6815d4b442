"""``wsstool nms``."""

from __future__ import annotations

from wsstool.cli.run import call
from wsstool.stages.options.nms import NmsOptions


def nms(options: NmsOptions) -> None:
    """Suppress duplicate detections or proposals.

    Examples:
        wsstool nms detections.json --method soft --set sigma=0.3 -o kept.json
        wsstool propose data/ | wsstool nms --iou-threshold 0.95 | wsstool select - --contour c.h5
    """
    call("detections.nms:nms", options)
