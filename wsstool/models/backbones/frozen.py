"""Networks whose backbone can be frozen, whole or in parts: weights and batch statistics together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from torch import nn

from wsstool.models.backbones.folded import fold_norms


class OnBackbone(nn.Module):
    """A network with a ``backbone``. If none of its weights is trained, its batch statistics are frozen."""

    backbone: nn.Module
    _frozen: tuple[nn.Module, ...] = ()  # a tuple, so that no module is registered twice

    @property
    def default_layer(self) -> str:
        """Name of the last feature layer, from which class maps are usually computed."""
        last = getattr(self.backbone, "last_stage", "")
        return f"backbone.{last}" if last else "backbone"

    def freeze_backbone(self) -> None:
        """Train only the rest; passes through the backbone then need no graph."""
        self.backbone.requires_grad_(False)
        self.train(self.training)

    def head_parameters(self) -> list[nn.Parameter]:
        """Return the parameters outside the backbone."""
        inside = {id(p) for p in self.backbone.parameters()}
        return [p for p in self.parameters() if id(p) not in inside]

    def freeze(self, parts: Iterable[nn.Module], *, norms: bool = False) -> None:
        """Freeze some parts: weights, batch statistics and dropout.

        Args:
            parts: submodules of this network.
            norms: also freeze every batch norm, wherever it is: running statistics and affine weights.
        """
        frozen = [*self._frozen, *parts]
        if norms:
            frozen += [module for module in self.modules() if isinstance(module, nn.BatchNorm2d)]
        for part in frozen:
            part.requires_grad_(False)
        self._frozen = tuple(frozen)
        self.train(self.training)

    def freeze_start(self, stride: int) -> None:
        """Freeze the batch norms of the backbone, and its first parts completely.

        Args:
            stride: freeze parts up to this stride; their large maps then need no backward pass, which saves a
                third of all work.
        """
        norms = [m for m in self.backbone.modules() if isinstance(m, nn.BatchNorm2d)]
        stages: Any = self.backbone.stages
        first = [self.backbone.get_submodule(s.name) for s in stages if s.stride <= stride]
        self.freeze([*norms, *first])
        fold_norms(self.backbone)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if not any(parameter.requires_grad for parameter in self.backbone.parameters()):
            self.backbone.eval()
        for part in self._frozen:
            part.eval()
        return self
