"""The training task of a contour network: a weighted sum of box losses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from wsstool.models.classifier import normalise
from wsstool.models.contour import ContourNet
from wsstool.training.losses.box_targets import BoxTarget, box_target
from wsstool.training.plan import Progress, parameter_groups


@dataclass(frozen=True)
class Term:
    """One summand: registry name, weight, and the loss with its options bound."""

    name: str
    weight: float
    loss: Callable[[Tensor, BoxTarget], Tensor]


class ContourTask:
    """Train ``network`` on batches of ``ObjectImages``.

    Args:
        network: changed in place.
        terms: the losses; each is logged under its name, unweighted.
        mean, std: of the colours.
        slack: see ``box_target``.
        backbone_rate: learning-rate multiplier of the backbone; 0: frozen.
    """

    def __init__(
        self,
        network: ContourNet,
        terms: Sequence[Term],
        *,
        mean: Sequence[float],
        std: Sequence[float],
        slack: float = 0.0,
        backbone_rate: float = 1.0,
    ) -> None:
        self.network, self.terms = network, list(terms)
        self.mean, self.std, self.slack = list(mean), list(std), slack
        self.backbone_rate = backbone_rate

    def modules(self) -> dict[str, nn.Module]:
        return {"network": self.network}

    def parameter_groups(self) -> list[dict[str, Any]]:
        return parameter_groups(self.network, self.backbone_rate)

    def loss(self, batch: dict[str, Tensor], progress: Progress) -> dict[str, Any]:
        logits = self.network(normalise(batch["image"], self.mean, self.std), batch["class"]).float()
        target = box_target(
            batch["box"],
            batch["image"],
            batch["extent"],
            (logits.shape[1], logits.shape[2]),
            slack=self.slack,
            mask=batch.get("mask"),
            done=progress.done,
        )
        values = {term.name: term.loss(logits, target) for term in self.terms}
        total = torch.stack([term.weight * values[term.name] for term in self.terms]).sum()
        return {"loss": total, **values}
