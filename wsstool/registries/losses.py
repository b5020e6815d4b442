"""The registries of training losses, see ``wsstool.registry``; those on boxes are ``BOX_LOSSES``.

Contracts: of classes ``f(logits, tags, label_smoothing, positive_weight) -> ()``, with logits and tags (B,K);
of pixels ``f(cross_entropy) -> loss`` of the same shape, a function of -log p, with p the probability of the
labelled class, that is 0 at 0.
"""

from __future__ import annotations

from wsstool.family import Entry, Registry

_OF_CLASSES = "wsstool.training.losses.classification"
_OF_PIXELS = "wsstool.training.losses.segmentation"

CLASS_LOSSES = Registry(
    "class-losses",
    "loss",
    {
        "soft-margin": Entry(f"{_OF_CLASSES}:soft_margin", "common practice", "one sigmoid per class"),
        "cross-entropy": Entry(f"{_OF_CLASSES}:cross_entropy", "common practice", "one softmax"),
    },
)

PIXEL_LOSSES = Registry(
    "pixel-losses",
    "pixel loss",
    {
        "cross-entropy": Entry(f"{_OF_PIXELS}:unchanged", "common practice", "one softmax"),
        "generalised": Entry(
            f"{_OF_PIXELS}:generalised", "Zhang and Sabuncu, NeurIPS 2018", "one exponential more"
        ),
        "symmetric": Entry(f"{_OF_PIXELS}:symmetric", "Wang et al., ICCV 2019", "one exponential more"),
    },
)
