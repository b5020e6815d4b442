"""``wsstool cotrain``."""

from __future__ import annotations

from wsstool.cli.run import call
from wsstool.stages.options.trainers.cotrain import CotrainOptions


def cotrain(options: CotrainOptions) -> None:
    """Train a segmenter on pseudo-masks or ground-truth masks.

    Given a data folder instead of a mask file, it trains the fully supervised reference on its ground truth.
    With --arch bcam-... or brinet-... it trains a network that reads sentences, on a selection file with the
    mask of each sentence or on a data folder. An interrupted run resumes where it stopped: OUTPUT.part holds
    its state, OUTPUT.log.jsonl the metrics of each epoch.

    Examples:
        wsstool cotrain masks.h5 --init cls.pth -o seg.pth
        wsstool cotrain masks.h5 --method coteaching --noise-rate 0.05 --val data/ --val-split val -o seg.pth
        wsstool cotrain data/ --split train --init cls.pth -o supervised.pth
        wsstool cotrain masks.h5 --recipe fcn8s-staged --init vgg16_from_caffe.pth -o seg.pth
        wsstool cotrain masks.h5 --arch bcam-mobilenet-v2 --method coteaching --noise-rate 0.1 -o named.pth
    """
    call("train.cotrain:cotrain", options)
