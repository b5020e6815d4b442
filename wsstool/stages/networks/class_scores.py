"""A classifier on its device: images in, class scores out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wsstool.models.classifier import normalise


@dataclass(frozen=True)
class ClassScores:
    """A classifier and its description.

    Attributes:
        model: in eval mode, in the memory format of its backbone.
        meta: the description, see ``load_classifier``.
    """

    model: nn.Module
    meta: dict[str, Any]

    def input(self, pixels: list[np.ndarray]) -> Tensor:
        """(B, 3, H, W) float32, normalised, of (H, W, 3) uint8 images of equal size."""
        batch = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)
        x = normalise(batch.to(next(self.model.parameters()).device), self.meta["mean"], self.meta["std"])
        return x.contiguous(memory_format=self.model.backbone.memory_format)  # type: ignore[union-attr, arg-type]

    def logits(self, pixels: list[np.ndarray]) -> Tensor:
        """(B, C) float."""
        with torch.no_grad():
            return self.model(self.input(pixels))

    def scores(self, pixels: list[np.ndarray]) -> np.ndarray:
        """(B, C) class scores in [0, 1]."""
        return self.as_scores(self.logits(pixels))

    def as_scores(self, logits: Tensor) -> np.ndarray:
        """A softmax where one class excludes the others, else sigmoids."""
        single = self.meta.get("single_label", False)
        return (logits.softmax(1) if single else logits.sigmoid()).float().cpu().numpy()
