"""``wsstool cam``."""

from __future__ import annotations

from wsstool.cli.run import call
from wsstool.stages.options.cam import CamOptions


def cam(options: CamOptions) -> None:
    """Compute class activation maps with a trained classifier.

    With --method text the class names are enough: an image tower such as CLIP's, and one vector per class.

    Examples:
        wsstool cam data/ --split train --weights cls.pth -o cams.h5
        wsstool cam data/ --weights cls.pth --scale 0.5 --scale 1 --flip | wsstool pseudo-mask -o masks.h5
        wsstool cam data/ --weights labeler.pth --method token -o tokens.h5
        wsstool cam data/ --method text --class-vectors names.npz --arch timm:NAME --init tower.pth -o cams.h5
    """
    call("pseudo_masks.cam:cam", options)
