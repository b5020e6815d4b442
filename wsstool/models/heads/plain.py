"""Any head on any backbone, with logits at the size of the input."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from wsstool.models.backbones import Backbone
from wsstool.models.backbones.frozen import OnBackbone
from wsstool.models.class_probabilities import padded
from wsstool.models.heads import side_by_side


class Segmenter(OnBackbone):
    """Backbone, head, bilinear upsampling.

    Args:
        backbone: (B,3,H,W) -> (B,F,h,w).
        head: features -> (B,C,h',w'); takes (fine features, features) if ``low_stage`` is given.
        low_stage: name of the part of the backbone that outputs the fine features.
    """

    backbone: Backbone

    def __init__(self, backbone: Backbone, head: nn.Module, low_stage: str | None = None) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.low_stage = low_stage

    def head_input(self, x: torch.Tensor) -> torch.Tensor:
        """Return the input of a ``LinearHead``: (B,3,H,W) -> (B,F,h,w)."""
        assert self.low_stage is not None
        return side_by_side(*self.backbone.with_fine(x, self.low_stage))

    def class_maps(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits on the head's own grid: (B,3,H,W) -> (B,C,h',w')."""
        if self.low_stage is None:
            return self.head(self.backbone(x))
        return self.head(*self.backbone.with_fine(x, self.low_stage))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B,3,H,W) -> logits (B,C,H,W)."""
        wide = padded(x, self.backbone.input_multiple)
        maps = self.class_maps(wide).float()
        logits = F.interpolate(maps, size=wide.shape[-2:], mode="bilinear", align_corners=False)
        return logits[..., : x.shape[-2], : x.shape[-1]]

    @property
    def input_multiple(self) -> int:
        """Inputs are padded to a multiple of this, pixels, so that each feature has its own square."""
        return self.backbone.stride
