"""The contour network: one map per object crop, from backbone features summed top-down to stride 2."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from wsstool.errors import UsageError
from wsstool.models.backbones import Backbone, build_backbone, scales_of
from wsstool.models.backbones.frozen import OnBackbone

CONDITIONS = ("none", "class", "vector")
"""Extra input that identifies the object, if the crop does not."""

FINEST = 4
"""Largest stride of the finest features, pixels; where it is larger, the image itself gives the edges."""

FIRST_BIAS = -2.0
"""Bias of the output: maps start low, so that maxima must be learned rather than left over."""


class ContourNet(OnBackbone):
    """Backbone, a 1x1 lateral at each stride, top-down sums to stride 2, two convolutions.

    A condition scales and shifts the channels of every lateral; it has no effect initially.

    Args:
        backbone: its stages provide the features; the finest used has stride 2.
        width: channels of the laterals, a multiple of 8.
        condition: one of ``CONDITIONS``.
        condition_size: length of a vector, or number of classes.
    Notes:
        The box is never an input: a network that sees it can satisfy every box loss by drawing it.
    Source:
        Top-down sums: Lin et al., FPN, CVPR 2017; scale and shift: Perez et al., FiLM, AAAI 2018.
    """

    backbone: Backbone

    def __init__(
        self, backbone: Backbone, width: int = 64, condition: str = "none", condition_size: int = 0
    ) -> None:
        super().__init__()
        if condition not in CONDITIONS:
            raise UsageError(f"no condition '{condition}'; there are: {', '.join(CONDITIONS)}")
        if width < 8 or width % 8:
            raise UsageError(f"--width {width}: give a multiple of 8")
        if condition != "none" and condition_size < 1:
            raise UsageError(f"the condition '{condition}' needs a size")
        self.backbone = backbone
        self.condition = condition
        strides = sorted({stage.stride for stage in backbone.stages if stage.stride > 1})
        is_fine = strides[0] <= FINEST
        several = len(strides) > 1
        taken = [backbone.stage_at(stride) for stride in strides] if several else scales_of(backbone)
        self.taken = tuple(stage.name for stage in taken)
        self.laterals = nn.ModuleList(nn.Conv2d(stage.channels, width, 1) for stage in taken)
        self.edges = nn.Identity() if is_fine else nn.Conv2d(3, width, 3, stride=2, padding=1)
        # no normalisation here: it removes the magnitude of the features, and masks then fill their boxes
        self.join = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU())
        self.classify = nn.Conv2d(width, 1, 1)
        nn.init.constant_(self.classify.bias, FIRST_BIAS)  # type: ignore[arg-type]
        inside = 32 if condition == "class" else condition_size
        self.embed = nn.Embedding(condition_size, inside) if condition == "class" else nn.Identity()
        self.steer = (
            nn.Identity() if condition == "none" else nn.Linear(inside, 2 * width * len(self.laterals))
        )
        if isinstance(self.steer, nn.Linear):
            nn.init.zeros_(self.steer.weight)
            nn.init.zeros_(self.steer.bias)

    def forward(self, x: torch.Tensor, condition: torch.Tensor | None = None) -> torch.Tensor:
        """Return the logits of the object map.

        Args:
            x: (B,3,H,W) float32, normalised.
            condition: (B,) int64 class ids, (B,D) float32 vectors, or None.

        Returns:
            (B,ceil(H/2),ceil(W/2)) float32; coarser if the finest features are at stride 4.
        """
        features = self.backbone.features_of(x, self.taken)
        steering = self._steering(condition)
        total: torch.Tensor | None = None
        for k in reversed(range(len(features))):
            y = self.laterals[k](features[k])  # (B,width,h,w)
            if steering is not None:
                y = y * (1 + steering[:, k, 0, :, None, None]) + steering[:, k, 1, :, None, None]
            if total is None:
                total = y
            else:
                total = y + F.interpolate(total, size=y.shape[-2:], mode="bilinear", align_corners=False)
        assert total is not None
        if isinstance(self.edges, nn.Conv2d):
            edges = self.edges(x)  # (B,width,H/2,W/2)
            total = edges + F.interpolate(total, size=edges.shape[-2:], mode="bilinear", align_corners=False)
        return self.classify(self.join(total))[:, 0].float()

    def _steering(self, condition: torch.Tensor | None) -> torch.Tensor | None:
        """Return the (B,laterals,2,width) scale and shift, or None."""
        if self.condition == "none":
            return None
        if condition is None:
            raise UsageError(f"this network needs a {self.condition} that identifies the object")
        steering = self.steer(self.embed(condition))
        return steering.unflatten(1, (len(self.laterals), 2, -1))


def build_contour(
    arch: str, *, width: int = 64, condition: str = "none", condition_size: int = 0
) -> ContourNet:
    """Build a contour network with random weights.

    Args:
        arch: a backbone name. A final 1x1 expansion made for a classifier is left out.
        width, condition, condition_size: see ``ContourNet``.

    Raises:
        UsageError: no such backbone, or options that do not fit.

    Example:
        >>> build_contour("tiny", width=8).eval()(torch.zeros(2, 3, 33, 40)).shape
        torch.Size([2, 17, 20])
    """
    return ContourNet(build_backbone(arch).without_expansion(), width, condition, condition_size)
