"""Referring segmentation networks: the mask of the object that a sentence names.

``build.build_referring`` builds them by name. In each, ``words`` encodes the sentences,
``linguistic_attention`` finds the words that matter at each position, ``visual_attention`` (or
``position_attention``) the regions that matter to these words; ``bcam`` is both together. ``encoder_fusion``
puts it inside the backbone, ``brinet`` behind it.

This module itself loads no torch: options ask it for the names.

Letters: B images, S sentences, T words, E channels of a word vector, P = h w positions, D ``width``.
"""

from __future__ import annotations

NAMES = ("bcam", "brinet")
"""First parts of ``--arch``; the second one is a backbone."""


def reads_sentences(arch: str) -> bool:
    """Return whether an architecture is a network that reads sentences.

    Example:
        >>> reads_sentences("bcam-resnet-101"), reads_sentences("resnet-101")
        (True, False)
    """
    return arch.startswith(tuple(f"{name}-" for name in NAMES))
