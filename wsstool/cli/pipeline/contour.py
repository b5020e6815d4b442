"""``wsstool contour``."""

from __future__ import annotations

from wsstool.cli import options
from wsstool.cli.run import call


def contour(
    data: options.Data,
    weights: options.Weights,
    output: options.Output = None,
    boxes: options.BoxFile = None,
    box_format: options.BoxFormat = "auto",
    margin: options.Margins = None,
    flip: options.Flip = False,
    split: options.Split = None,
    class_list: options.ClassListFile = None,
    shard: options.Shard = None,
    batch_size: options.BatchSize = 16,
    workers: options.Workers = 2,
    device: options.Device = "auto",
    max_failed: options.MaxFailed = 0,
    force: options.Force = False,
) -> None:
    """Map the object of every box with a trained contour network: its outline, or where it is.

    Examples: wsstool contour data/ --boxes boxes.json --weights contour.pth -o contours.h5;
    wsstool contour data/ --weights contour.pth --flip --margin .1 --margin .25 --margin .45 -o contours.h5
    """
    call("objects.contour:contour", locals())
