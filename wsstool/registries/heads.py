"""The registry of segmentation heads, see ``wsstool.registry``.

Contract: ``f(backbone, n_classes, width) -> network``. The backbone is uncut and has random weights. The
network contains it as ``backbone`` and maps (B,3,H,W) to logits (B,C,H,W);
``wsstool.models.heads.plain.Segmenter`` makes one of any module that maps features to class maps. ``width``
is that of ``--width``, or None. The FCNs with aligned maps, such as ``fcn8s``, are not among these heads.
"""

from __future__ import annotations

from wsstool.family import Entry, Registry

_OURS = "wsstool.models.heads.builders"

HEADS = Registry(
    "heads",
    "head",
    {
        "deeplabv3plus": Entry(
            f"{_OURS}:build_deeplabv3plus", "Chen et al., ECCV 2018", "5 branches, fine features"
        ),
        "deeplabv3": Entry(f"{_OURS}:build_deeplabv3", "Chen et al., 2017", "5 branches"),
        "segformer": Entry(f"{_OURS}:build_segformer", "Xie et al., NeurIPS 2021", "linear layers, 4 scales"),
        "lraspp": Entry(f"{_OURS}:build_lraspp", "Howard et al., ICCV 2019", "1 gated branch, fine features"),
        "fcn": Entry(f"{_OURS}:build_fcn_head", "Long et al., CVPR 2015", "1 convolution of 3 x 3"),
        "pyramid": Entry(f"{_OURS}:build_pyramid", "own design", "depthwise convolutions, 2 depths"),
        "linear": Entry(f"{_OURS}:build_linear", "own design", "1 linear layer, 2 depths"),
    },
)
