"""``wsstool predict``."""

from __future__ import annotations

from wsstool.cli.run import call
from wsstool.stages.options.predict import PredictOptions


def predict(options: PredictOptions) -> None:
    """Predict label maps, class probabilities or object masks.

    With a segmenter, the output is one label map per image, or with --probabilities class maps. With the
    weights of 'train-contour', or a segmenter and --boxes, every box of DATA or of --boxes gets a mask with a
    quality score, in a selection file. With a network that reads sentences, every --expression is asked about
    every image, or about the only one; without it, each sentence of the set about its own image.

    Examples:
        wsstool predict data/ --split test --weights seg.pth -o pred.h5
        wsstool predict data/ --weights seg.pth --scale .75 --scale 1 --flip | wsstool eval --truth data/
        wsstool predict data/ --weights seg.pth --gate cls.pth -o pred.h5
        wsstool predict data/ --boxes new.json --weights contour.pth --flip -o objects.h5
        wsstool predict photo.jpg --weights named.pth --expression "the man on the left" -o man.h5
        wsstool predict data/ --split test --weights named.pth --ensemble -o named.h5
        wsstool predict VOCdevkit/VOC2012 --weights fcn8s_from_caffe.pth -o pred.h5
    """
    call("predict.predict:predict", options)
