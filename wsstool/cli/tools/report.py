"""``wsstool report``."""

from __future__ import annotations

from wsstool.cli.run import call, messages
from wsstool.stages.options.scoring import ReportOptions


def report(options: ReportOptions) -> None:
    """Write scores, images and training curves as one HTML file.

    Examples:
        wsstool report cams.h5 pseudo.h5 -o report.html
        wsstool report contours.h5 selection.h5 -o masks.html
        wsstool report small=small.h5 large=large.h5 -o robustness.html
        wsstool report CAM=cams.h5 prediction=test.h5 --twin twin.h5 --log seg.jsonl -o report.html
    """
    found = call("report.report:report", options)
    messages().say(f"{found['output']} ({found['bytes'] / 1e6:.1f} MB)")
