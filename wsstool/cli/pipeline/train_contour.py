"""``wsstool train-contour``."""

from __future__ import annotations

from wsstool.cli.run import call
from wsstool.stages.options.trainers.train_contour import TrainContourOptions


def train_contour(options: TrainContourOptions) -> None:
    """Train a network that maps single objects, using boxes.

    With --arch bcam-... or brinet-... the network maps what a sentence names: it sees the whole image, and
    the sentences of DATA, or of --expressions, have the boxes. With '--loss mask=1' the same command trains
    the fully supervised reference. An interrupted run resumes where it stopped: OUTPUT.part holds its state,
    OUTPUT.log.jsonl the metrics of each epoch. Masks are read only for the loss 'mask'.

    Examples:
        wsstool train-contour data/ --boxes boxes.json --init imagenet -o contour.pth
        wsstool train-contour data/ --loss tightness=1 --loss zero=0.05 -o outline.pth
        wsstool train-contour data/ --loss mask=1 --selection masks.h5 --init contour.pth -o second.pth
        wsstool train-contour data/ --recipe referring-small --init imagenet -o words.pth
        wsstool train-contour data/ --arch bcam-tiny --loss mask=1 --val-split val -o twin.pth
    """
    call("train.train_contour:train_contour", options)
