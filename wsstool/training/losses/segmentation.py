"""Segmentation losses: one value per pixel, and their mean over valid pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from wsstool.registries.losses import PIXEL_LOSSES
from wsstool.types import IGNORE


def pixel_losses(
    logits: torch.Tensor,
    labels: torch.Tensor,
    *,
    kind: str = "cross-entropy",
    q: float = 0.7,
    beta: float = 1.0,
) -> torch.Tensor:
    """Compute the loss of every pixel against a map of class ids; 0 where the label is 255.

    With p the softmax probability of the labelled class: cross-entropy -log p; generalised (1 - p^q) / q,
    which saturates, so that wrong labels have less influence; symmetric -log p + 4 beta (1 - p),
    cross-entropy plus reverse cross-entropy with log 0 set to -4.

    Args:
        logits: (B,C,H,W), processed in float32.
        labels: (B,H,W) integer class ids, 255 = ignore.
        kind: one of ``PIXEL_LOSSES``.
        q: (0, 1], generalised only; q -> 0 is cross-entropy, 1 is the mean absolute error.
        beta: >= 0, weight of the reverse term, symmetric only.

    Returns:
        (B,H,W) float32, >= 0.

    Raises:
        UsageError: unknown loss.
    Source:
        Zhang and Sabuncu, NeurIPS 2018, equation 4; Wang et al., ICCV 2019, equation 7. From the papers.
    Example:
        >>> pixel_losses(torch.zeros(1, 2, 1, 2), torch.tensor([[[0, 255]]])).tolist()
        [[[0.6931471824645996, 0.0]]]
    """
    cross_entropy = F.cross_entropy(logits.float(), labels.long(), ignore_index=IGNORE, reduction="none")
    return of_cross_entropy(cross_entropy, kind, q=q, beta=beta)


def of_cross_entropy(
    cross_entropy: torch.Tensor, kind: str, *, q: float = 0.7, beta: float = 1.0
) -> torch.Tensor:
    """Compute the loss of that kind from the cross-entropy; 0 stays 0.

    Raises:
        UsageError: unknown loss.
    """
    own = {"generalised": (q,), "symmetric": (beta,)}.get(kind, ())
    return PIXEL_LOSSES.load(kind)(cross_entropy, *own)  # type: ignore[no-any-return]


def unchanged(cross_entropy: torch.Tensor) -> torch.Tensor:
    """Take the cross-entropy -log p as it is.

    Source:
        Common practice.
    """
    return cross_entropy


def generalised(cross_entropy: torch.Tensor, q: float = 0.7) -> torch.Tensor:
    """Saturate the loss, (1 - p^q) / q, so that wrong labels have less influence.

    Source:
        Zhang and Sabuncu, NeurIPS 2018, equation 4. From the paper.
    """
    return -torch.expm1(-q * cross_entropy) / q


def symmetric(cross_entropy: torch.Tensor, beta: float = 1.0) -> torch.Tensor:
    """Add the reverse cross-entropy, -log p + 4 beta (1 - p).

    Source:
        Wang et al., ICCV 2019, equation 7. From the paper.
    """
    return cross_entropy - 4.0 * beta * torch.expm1(-cross_entropy)


def mean_over(losses: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """Average the losses where ``kept`` is true; 0, with a gradient of 0, if it never is.

    Example:
        >>> mean_over(torch.tensor([1., 5., 9.]), torch.tensor([True, True, False])).item()
        3.0
    """
    # where() and not a product: an infinite loss of an ignored pixel must not become NaN
    return torch.where(kept, losses, losses.new_zeros(())).sum() / kept.sum().clamp(min=1)


def layered_losses(
    logits: torch.Tensor,
    labels: torch.Tensor,
    *,
    kind: str = "cross-entropy",
    q: float = 0.7,
    beta: float = 1.0,
) -> torch.Tensor:
    """Compute ``pixel_losses`` against each of several label maps.

    Args:
        logits: (B,C,H,W).
        labels: (B,L,H,W), L label maps per image, such as pseudo-masks from several depths.

    Returns:
        (B,L,H,W) float32, 0 where the label is 255.
    """
    return torch.stack(
        [pixel_losses(logits, labels[:, l], kind=kind, q=q, beta=beta) for l in range(labels.shape[1])], dim=1
    )


def layered_mean(losses: torch.Tensor, kept: torch.Tensor, weights: Sequence[float]) -> torch.Tensor:
    """Sum over label maps the weight times the mean over the kept pixels of that map.

    Args:
        losses: (B,L,H,W) from ``layered_losses``.
        kept: (B,L,H,W) bool, valid and selected.
        weights: L numbers >= 0, not normalised.

    Source:
        Han et al., Medical Image Analysis 2022 (weights 0.6, 0.2, 0.2). From the paper.
    """
    total = losses.new_zeros(())
    for l, weight in enumerate(weights):
        total = total + weight * mean_over(losses[:, l], kept[:, l])
    return total


def layered_sum(losses: torch.Tensor, kept: torch.Tensor, weights: Sequence[float]) -> torch.Tensor:
    """Sum over label maps the weight times the sum over the kept pixels, averaged over the batch.

    An image contributes in proportion to its labelled pixels; the learning rate must be that much smaller.

    Args:
        losses, kept, weights: as in ``layered_mean``.

    Source:
        Long et al., PAMI 2016 (unnormalised loss). From the paper.
    Example:
        >>> layered_sum(torch.ones(2, 1, 3, 3), torch.ones(2, 1, 3, 3).bool(), [1.0]).item()
        9.0
    """
    sums = torch.where(kept, losses, losses.new_zeros(())).sum((0, 2, 3))  # (L,)
    return (sums * sums.new_tensor(weights)).sum() / len(losses)
