"""``wsstool pseudo-mask``."""

from __future__ import annotations

from wsstool.cli.run import call
from wsstool.stages.options.pseudo_mask import PseudoMaskOptions


def pseudo_mask(options: PseudoMaskOptions) -> None:
    """Turn class maps, or the masks of boxes, into label maps.

    Examples:
        wsstool pseudo-mask cams.h5 --refine crf -o masks.h5
        wsstool cam data/ --weights cls.pth | wsstool pseudo-mask --background-threshold auto -o masks.h5
        wsstool pseudo-mask tokens.h5 --rule threshold --set high=0.8 --set low=0.5 -o masks.h5
        wsstool pseudo-mask cams.h5 --refine regions --regions proposals.h5 --refine crf -o masks.h5
        wsstool pseudo-mask cams.h5 --refine affinity --weights cls.pth -o masks.h5
        wsstool pseudo-mask selection.h5 --min-score 0.4 -o masks.h5
    """
    call("pseudo_masks.pseudo_mask:pseudo_mask", options)
