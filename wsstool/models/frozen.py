"""Networks on a backbone that may be frozen: weights and batch statistics together."""

from __future__ import annotations

from typing import Self

from torch import nn


class OnBackbone(nn.Module):
    """A network with a ``backbone``. When none of its weights is trained, its batch statistics rest too."""

    backbone: nn.Module

    def freeze_backbone(self) -> None:
        """Train the rest alone; passes through the backbone then need no graph."""
        self.backbone.requires_grad_(False)
        self.train(self.training)

    def head_parameters(self) -> list[nn.Parameter]:
        """The parameters outside the backbone."""
        return [p for name, p in self.named_parameters() if not name.startswith("backbone.")]

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if not any(parameter.requires_grad for parameter in self.backbone.parameters()):
            self.backbone.eval()
        return self
