"""The training task of a network that reads sentences: a weighted sum of box losses at several scales."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from wsstool.models.classifier import normalise
from wsstool.models.referring.build import ReferringNetwork
from wsstool.training.contour_task import Term
from wsstool.training.losses.box_targets import BoxTarget, box_target
from wsstool.training.losses.scales import at_scales
from wsstool.training.plan import Progress, parameter_groups


class ReferringTask:
    """Train ``network`` on batches of ``SentenceImages``.

    Args:
        network: changed in place.
        terms: the losses; each is logged under its name, unweighted, as the sum over the scales.
        mean, std: of the colours.
        slack: see ``box_target``.
        backbone_rate: learning-rate multiplier of the backbone; 0: frozen.
        scale_weights: weight of the losses at each scale, coarsest first; None: 1 each, as published.
        check: network in eval mode -> scores after an epoch, or None.
    """

    def __init__(
        self,
        network: ReferringNetwork,
        terms: Sequence[Term],
        *,
        mean: Sequence[float],
        std: Sequence[float],
        slack: float = 0.0,
        backbone_rate: float = 1.0,
        scale_weights: Sequence[float] | None = None,
        check: Callable[[nn.Module], Mapping[str, Any]] | None = None,
    ) -> None:
        self.network, self.terms = network, list(terms)
        self.mean, self.std, self.slack = list(mean), list(std), slack
        self.backbone_rate, self.scale_weights, self.check = backbone_rate, scale_weights, check

    def modules(self) -> dict[str, nn.Module]:
        return {"network": self.network}

    def parameter_groups(self) -> list[dict[str, Any]]:
        return parameter_groups(self.network, self.backbone_rate)

    def loss(self, batch: dict[str, Tensor], progress: Progress) -> dict[str, Any]:
        images, image_of = batch["image"], batch["image_of"]
        logits = self.network(normalise(images, self.mean, self.std), batch["words"], image_of)
        extents = torch.tensor([images.shape[2:]], device=images.device).expand(len(image_of), 2)

        def target_at(size: tuple[int, int]) -> BoxTarget:
            return box_target(
                batch["box"],
                images,
                extents,
                size,
                slack=self.slack,
                mask=batch.get("mask"),
                done=progress.done,
                image_of=image_of,
            )

        sizes = {(one.shape[2], one.shape[3]) for one in logits}
        targets = {size: target_at(size) for size in sizes}
        values = {
            term.name: at_scales(logits, term.loss, targets.__getitem__, self.scale_weights)
            for term in self.terms
        }
        total = torch.stack([term.weight * values[term.name] for term in self.terms]).sum()
        return {"loss": total, **values}

    def validate(self) -> dict[str, Any]:
        """Return the scores at the end of an epoch."""
        return dict(self.check(self.network)) if self.check else {}
