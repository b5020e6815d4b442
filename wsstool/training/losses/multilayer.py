"""Loss on several label maps at once, with pixels that belong to no class of the network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from wsstool.training.losses.segmentation import mean_over, of_cross_entropy
from wsstool.types import IGNORE

CERTAIN = 100.0
"""Logit of the excluded channel at excluded pixels of the main label map: its softmax is 1 there."""


def with_excluded_channel(logits: Tensor, is_excluded: Tensor) -> Tensor:
    """Append a constant channel: 100 where a pixel is excluded, 0 elsewhere.

    Args:
        logits: (B,C,H,W).
        is_excluded: (B,H,W) bool.

    Returns:
        (B,C+1,H,W) float32.

    Notes:
        Where it is 100, loss and gradient vanish for the label C, and there is no useful gradient for any
        other label. Elsewhere the classes compete with a logit of 0, so the correct one is pushed above it.
    Example:
        >>> with_excluded_channel(torch.ones(1, 2, 1, 2), torch.tensor([[[True, False]]]))[0, :, 0].tolist()
        [[1.0, 1.0], [1.0, 1.0], [100.0, 0.0]]
    """
    channel = CERTAIN * is_excluded[:, None].to(torch.float32)
    return torch.cat([logits.float(), channel], 1)


def multilayer_loss(
    logits: Tensor,
    labels: Tensor,
    weights: Sequence[float],
    *,
    main: int = 0,
    kind: str = "cross-entropy",
    excluded: str = "channel",
) -> Tensor:
    """Sum over label maps the weight times the mean loss of their pixels.

    ``excluded="channel"``: with ``with_excluded_channel`` of the main map, so that excluded pixels are part
    of the mean, with a loss of 0 where all maps exclude them and of about 100 for a map that does not.
    ``excluded="index"``: each map's excluded pixels are ignored like 255.

    Args:
        logits: (B,C,H,W).
        labels: (B,L,H,W) outputs; C = excluded, 255 = ignore.
        weights: L numbers >= 0, not normalised; 0.6 for the deepest layer, 0.2 and 0.2 are published.
        main: index of the map that determines the excluded pixels.
        kind: one of ``PIXEL_LOSSES``, or ``focal``: (1 - p)^2 / 2 x CE of the *mean* cross-entropy CE of a
            map, with p = exp(-CE). As published; it is not the pixel-wise focal loss.
        excluded: ``channel`` or ``index``.

    Returns:
        () float32; 0 if no pixel is valid.

    Source:
        Han et al., Medical Image Analysis 2022, section 3.4. Written from the paper.
    """
    n_outputs = logits.shape[1]
    if excluded == "index":
        labels = torch.where(labels == n_outputs, IGNORE, labels)
        outputs = logits.float()
    else:
        outputs = with_excluded_channel(logits, labels[:, main] == n_outputs)
    log_probs = outputs.log_softmax(1)  # (B,C+1,H,W), shared by all maps
    total = log_probs.new_zeros(())
    for number, weight in enumerate(weights):
        target = labels[:, number].long()
        cross_entropy = F.nll_loss(log_probs, target, ignore_index=IGNORE, reduction="none")  # (B,H,W)
        if kind == "focal":
            mean = mean_over(cross_entropy, target != IGNORE)
            loss = (1 - torch.exp(-mean)) ** 2 * 0.5 * mean
        else:
            loss = mean_over(of_cross_entropy(cross_entropy, kind), target != IGNORE)
        total = total + weight * loss
    return total
