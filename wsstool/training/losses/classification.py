"""Classification losses on image-level labels (tags)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor
from torch.nn import functional

from wsstool.errors import UsageError
from wsstool.registries.losses import CLASS_LOSSES


def soft_margin(
    logits: Tensor, tags: Tensor, label_smoothing: float = 0.0, positive_weight: float = 1.0
) -> Tensor:
    """Compute the binary cross-entropy of every class: mean over classes, then over images.

    With t' = (1 - s) t + s / 2: -(w t' log sigmoid(z) + (1 - t') log sigmoid(-z)).

    Args:
        logits: (B,K) float.
        tags: (B,K) 0 or 1, any number of ones per row.
        label_smoothing: s, [0, 1).
        positive_weight: w, > 0; above 1 increases recall, at the cost of precision.

    Source:
        Common practice.
    Example:
        >>> import torch
        >>> round(soft_margin(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]])).item(), 4)
        0.6931
    """
    target = tags.float() * (1 - label_smoothing) + label_smoothing / 2
    weight = logits.new_tensor(positive_weight)
    return functional.binary_cross_entropy_with_logits(logits, target, pos_weight=weight)


def cross_entropy(
    logits: Tensor, tags: Tensor, label_smoothing: float = 0.0, positive_weight: float = 1.0
) -> Tensor:
    """Compute the softmax cross-entropy for single-label datasets; mean over images.

    Args:
        logits: (B,K) float.
        tags: (B,K) 0 or 1; several ones share the probability equally.
        label_smoothing: share of the probability that is spread over all classes, [0, 1).
        positive_weight: not supported here; must be 1.

    Raises:
        UsageError: a positive weight other than 1.
    Source:
        Common practice.
    """
    if positive_weight != 1:
        raise UsageError("a positive weight applies to the soft-margin loss, not to cross-entropy")
    target = tags.float() / tags.float().sum(1, keepdim=True).clamp(min=1)
    return functional.cross_entropy(logits, target, label_smoothing=label_smoothing)


def class_loss(
    name: str, *, label_smoothing: float = 0.0, positive_weight: float = 1.0
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a loss of ``CLASS_LOSSES`` with its settings: logits (B,K), targets (B,K) -> ().

    Raises:
        UsageError: no loss of that name.
    """
    return partial(CLASS_LOSSES.load(name), label_smoothing=label_smoothing, positive_weight=positive_weight)
