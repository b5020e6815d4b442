"""A segmenter as a task for the training loop: what every way of learning from masks has in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from wsstool.models.classifier import normalise
from wsstool.training.losses.segmentation import layered_losses, layered_mean
from wsstool.training.plan import Progress
from wsstool.types import IGNORE, SILENT, Messages


@dataclass(frozen=True)
class Setup:
    """What every way of training needs to know.

    Attributes:
        build: number of a network (0, 1) -> the network with its own random start.
        class_names: C names; output c is class c.
        background: its class id, or -1.
        layer_weights: weight of each label map of an image.
        noise_rate: share of wrong labels, [0, 1), or None to estimate it after the warm-up.
        groups: network -> parameter groups for the optimiser.
        validate: network in eval mode -> scores, or None.
        mean: of each colour, [0, 1]; images come as uint8 and are normalised where the network is.
        std: of each colour, > 0.
        messages: where estimates and warnings go.
    """

    build: Callable[[int], nn.Module]
    class_names: Sequence[str]
    background: int = -1
    layer_weights: Sequence[float] = (1.0,)
    noise_rate: float | None = 0.0
    groups: Callable[[nn.Module], list[dict[str, Any]]] = lambda network: [
        {"params": list(network.parameters())}
    ]
    validate: Callable[[nn.Module], Mapping[str, float]] | None = None
    mean: Sequence[float] = (0.485, 0.456, 0.406)
    std: Sequence[float] = (0.229, 0.224, 0.225)
    messages: Messages = SILENT


Batch = tuple[torch.Tensor, torch.Tensor]
"""Images (B,3,H,W) uint8 and label maps (B,L,H,W) uint8, 255 = ignore."""


class CoTraining:
    """A task: one or two networks, the loss of a batch, and what to keep at the end.

    Args:
        setup: see ``Setup``.
        n_networks: 1 or 2.
        loss: cross-entropy, generalised or symmetric.
    """

    def __init__(self, setup: Setup, n_networks: int, loss: str = "cross-entropy") -> None:
        self.setup = setup
        self.loss_kind = loss
        self.networks = [setup.build(i) for i in range(n_networks)]

    def modules(self) -> dict[str, nn.Module]:
        """Everything with state: what a checkpoint holds."""
        return {f"network_{i + 1}": network for i, network in enumerate(self.networks)}

    def trained(self) -> list[nn.Module]:
        """The networks for the weights file, the one to use first."""
        return list(self.networks)

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [group for network in self.networks for group in self.setup.groups(network)]

    def loss(self, batch: Batch, progress: Progress) -> dict[str, Any]:
        x, labels = self.prepared(batch)
        losses = self.losses(self.networks[0](x), labels)
        return {"loss": layered_mean(losses, labels != IGNORE, self.setup.layer_weights)}

    def prepared(self, batch: Batch) -> Batch:
        """The batch with its images as normalised float32."""
        images, labels = batch
        return normalise(images, list(self.setup.mean), list(self.setup.std)), labels

    def losses(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """(B,C,H,W), (B,L,H,W) -> (B,L,H,W)."""
        return layered_losses(logits, labels, kind=self.loss_kind)

    def validate(self) -> dict[str, float]:
        """Scores of the first network of ``trained`` at the end of an epoch."""
        if self.setup.validate is None:
            return {}
        return dict(self.setup.validate(self.trained()[0]))
