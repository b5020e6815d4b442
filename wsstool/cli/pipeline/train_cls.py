"""``wsstool train-cls``."""

from __future__ import annotations

from wsstool.cli.run import call
from wsstool.stages.options.trainers.train_cls import TrainClsOptions


def train_cls(options: TrainClsOptions) -> None:
    """Train a classifier on image-level labels.

    An interrupted run resumes where it stopped: OUTPUT.part holds its state, OUTPUT.log.jsonl the metrics of
    each epoch.

    Examples:
        wsstool train-cls data/ --init imagenet -o cls.pth
        wsstool train-cls data/ --split train --val-split val --arch tiny --epochs 40 -o cls.pth
    """
    call("train.train_classifier:train_cls", options)
