"""Loss terms on the token logits of a classifier, beside the loss of its class token."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from wsstool.models.classifier import normalise
from wsstool.models.fan_classifier import FanClassifier
from wsstool.training.losses.token_labels import Form, dense_loss, token_targets
from wsstool.training.plan import Progress

ClassLoss = Callable[[Tensor, Tensor], Tensor]
"""Logits (B,K) and targets (B,K) -> ()."""


@dataclass(frozen=True)
class TokenBatch:
    """What the terms are computed from.

    Attributes:
        features: (B,F,h,w) of the student's view, see ``FanClassifier.features``.
        targets: (B,K) float, of the class token; mixed as the student's view is.
        tags: (B,K) 0 or 1, before mixing.
        clean: (B,3,H,W) uint8: the teacher's view; None: there is none.
        progress: position of the run.
    """

    features: Tensor
    targets: Tensor
    tags: Tensor
    clean: Tensor | None
    progress: Progress


class TokenTerms(Protocol):
    """Interface of the terms."""

    def __call__(self, model: FanClassifier, batch: TokenBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the class logits (B,K), and by name the terms to add to their loss."""
        ...


@dataclass(frozen=True)
class PooledTokens:
    """The term of a token labeler: w times the class loss of the mean over tokens of the token logits.

    The token head thereby learns to classify single tokens from image-level labels alone.

    Args:
        measure: the class loss.
        weight: w, >= 0; 0 leaves the token head untrained.
        gradient: let the term train the backbone too; without it, the token head learns on features that only
            the class token has shaped.

    Source:
        Zhao et al., ICCV 2023, section 3.2, and its ablations. Written from a description of the program.
    """

    measure: ClassLoss
    weight: float = 1.0
    gradient: bool = True

    def __call__(self, model: FanClassifier, batch: TokenBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the class logits (B,K), and the term as ``token_loss``."""
        class_logits, token_logits = model.head.with_tokens(batch.features, token_gradient=self.gradient)
        pooled = token_logits.float().mean(1)
        return class_logits.float(), {"token_loss": self.weight * self.measure(pooled, batch.targets)}


@dataclass(frozen=True)
class Labeler:
    """A network that labels the tokens of the teacher's view.

    Args:
        mean, std: of the input channels.
        teacher: trained, in eval mode, on the device of the training; None: the student itself, in eval mode.
        order: output of the teacher for each class of the student; None: as they are.
    """

    mean: Sequence[float]
    std: Sequence[float]
    teacher: FanClassifier | None = None
    order: Sequence[int] | None = None

    @torch.no_grad()
    def __call__(self, student: FanClassifier, clean: Tensor) -> Tensor:
        """(B,3,H,W) uint8 -> token logits (B,N,K); the student stays in the mode in which it is."""
        x = normalise(clean, list(self.mean), list(self.std))
        network = student if self.teacher is None else self.teacher
        was_training = network.training
        network.eval()
        _, logits = network.head.with_tokens(network.features(x))
        network.train(was_training)
        return logits.float() if self.order is None else logits[..., list(self.order)].float()


@dataclass(frozen=True)
class TokenLabels:
    """The term of a student: w times the cross-entropy of its token logits to the labels of its tokens.

    All tokens count. In the rectangle of CutMix the student sees another image than the one that is labelled,
    as published; only the targets of the class token are mixed.

    Args:
        labeler: labels the tokens.
        form, smoothing: see ``token_targets``.
        weight: w, >= 0.
        growth: multiply w by sqrt(epoch / epochs), from 0 in the first epoch.
        multi_label: binary cross-entropy, and labels among the tags of the image alone.

    Source:
        Zhao et al., ICCV 2023, section 3.3. Written from a description of the program; the form for several
        tags is ours.
    """

    labeler: Labeler
    form: Form = "gumbel"
    smoothing: float = 0.1
    weight: float = 1.0
    growth: bool = False
    multi_label: bool = False

    def __call__(self, model: FanClassifier, batch: TokenBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the class logits (B,K), and the term as ``dense_loss``."""
        assert batch.clean is not None
        # before the labels: autocast keeps the weights that it has cast, also those cast without gradient
        class_logits, token_logits = model.head.with_tokens(batch.features)
        tags = batch.tags if self.multi_label else None
        labelled = self.labeler(model, batch.clean)
        targets = token_targets(labelled, self.form, tags=tags, smoothing=self.smoothing)
        loss = dense_loss(token_logits.float(), targets, multi_label=self.multi_label)
        return class_logits.float(), {"dense_loss": self.weight_at(batch.progress) * loss}

    def weight_at(self, progress: Progress) -> float:
        """Return w at a position of the run."""
        return self.weight * (math.sqrt(progress.epoch / progress.epochs) if self.growth else 1.0)
