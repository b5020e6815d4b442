"""Loss terms on the token logits of a classifier, beside the loss of its class token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from wsstool.models.fan_classifier import FanClassifier

ClassLoss = Callable[[Tensor, Tensor], Tensor]
"""Logits (B,K) and targets (B,K) -> ()."""


@dataclass(frozen=True)
class TokenBatch:
    """What the terms are computed from.

    Attributes:
        features: (B,F,h,w), see ``FanClassifier.features``.
        targets: (B,K) float, of the class token.
    """

    features: Tensor
    targets: Tensor


class TokenTerms(Protocol):
    """Interface of the terms."""

    def __call__(self, model: FanClassifier, batch: TokenBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the class logits (B,K), and by name the terms to add to their loss."""
        ...


class PooledTokens:
    """The loss of a token labeler: w times the class loss of the mean over tokens of the token logits.

    The token head thereby learns to classify single tokens from image-level labels alone.

    Args:
        measure: the class loss.
        weight: w, >= 0; 0 leaves the token head untrained.
        gradient: let the term train the backbone too; without it, the token head learns on features that only
            the class token has shaped.

    Source:
        Zhao et al., ICCV 2023, section 3.2, and its ablations. Written from a description of the program.
    """

    def __init__(self, measure: ClassLoss, *, weight: float = 1.0, gradient: bool = True) -> None:
        self.measure, self.weight, self.gradient = measure, weight, gradient

    def __call__(self, model: FanClassifier, batch: TokenBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the class logits (B,K), and the term as ``token_loss``."""
        class_logits, token_logits = model.head.with_tokens(batch.features, token_gradient=self.gradient)
        pooled = token_logits.float().mean(1)
        return class_logits.float(), {"token_loss": self.weight * self.measure(pooled, batch.targets)}
