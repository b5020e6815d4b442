"""``wsstool contour``."""

from __future__ import annotations

from wsstool.cli.run import call
from wsstool.stages.options.objects import ContourOptions


def contour(options: ContourOptions) -> None:
    """Map the object in every box with a trained network.

    The map shows the outline of the object or the object itself, depending on the network. With a network
    that reads sentences there is one map per sentence of DATA or of --expressions.

    Examples:
        wsstool contour data/ --boxes boxes.json --weights contour.pth -o contours.h5
        wsstool contour data/ --weights contour.pth --flip --margin 0.1 --margin 0.4 -o contours.h5
        wsstool contour data/ --expressions referring.jsonl --weights words.pth -o contours.h5
    """
    call("objects.contour:contour", options)
