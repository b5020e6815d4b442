"""Classifiers with one map per class, the basis of CAMs: backbone, 1x1 convolution, pooling."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from wsstool.errors import UsageError
from wsstool.models.backbones import Backbone, build_backbone
from wsstool.models.backbones.frozen import OnBackbone
from wsstool.models.fan.sizes import SIZES as FAN_SIZES
from wsstool.models.fan_classifier import FanClassifier, build_fan_classifier
from wsstool.types import IMAGENET_MEAN, IMAGENET_STD

NORMALIZATIONS: dict[str, tuple[list[float], list[float]]] = {
    "imagenet": (list(IMAGENET_MEAN), list(IMAGENET_STD)),
    "none": ([0.0, 0.0, 0.0], [1.0, 1.0, 1.0]),
}
"""Mean and standard deviation of the input channels, for images in [0, 1]."""

LSE_SHARPNESS = 4.0
TOPK_FRACTION = 0.3


def average_pool(maps: Tensor) -> Tensor:
    """Average over positions: (B,C,h,w) -> (B,C). The whole activated area counts (Zhou et al., 2016)."""
    return maps.mean((-2, -1))


def max_pool(maps: Tensor) -> Tensor:
    """Take the largest value over positions: (B,C,h,w) -> (B,C). One position decides for the image."""
    return maps.amax((-2, -1))


def lse_pool(maps: Tensor) -> Tensor:
    """Take the log-mean-exp over positions, a smooth maximum: log(mean(exp(r m))) / r, r = 4; -> (B,C).

    r -> 0 gives the mean, r -> inf the maximum.

    Source:
        Pinheiro and Collobert, CVPR 2015, section 3.2. Written from the paper.
    """
    flat = maps.flatten(2) * LSE_SHARPNESS  # (B,C,hw)
    n = flat.shape[-1]
    count = torch.full((), n).log() if torch.compiler.is_compiling() else math.log(n)
    return (flat.logsumexp(-1) - count) / LSE_SHARPNESS


def topk_pool(maps: Tensor) -> Tensor:
    """Average the highest 30 % of the positions, at least one: (B,C,h,w) -> (B,C).

    Source:
        Durand et al., CVPR 2017 (WILDCAT), equation 2 without the low scores. Written from the paper.
    """
    flat = maps.flatten(2)  # (B,C,hw)
    return flat.topk(_topk_count(flat.shape[-1]), dim=-1).values.mean(-1)


def _topk_count(n: int) -> int:
    """Return 30 % of n, rounded half to even, at least 1; in whole numbers, which ``torch.export`` needs."""
    return torch.sym_max(1, (3 * n + 4 + 3 * n // 10 % 2) // 10)  # type: ignore[return-value]


POOLS: dict[str, Callable[[Tensor], Tensor]] = {
    "average": average_pool,
    "max": max_pool,
    "lse": lse_pool,
    "topk": topk_pool,
}
"""Pooling methods by name."""


class Classifier(OnBackbone):
    """Classifier whose logits are the pooled values of one map per class.

    Args:
        backbone: (B,3,H,W) -> (B,F,h,w).
        head: 1x1 convolution to one map per class.
        pool: a name of ``POOLS``.
        dropout: share of feature channels dropped in training; with average pooling equivalent to dropping
            pooled features.
    """

    def __init__(
        self, backbone: nn.Module, head: nn.Conv2d, pool: str = "average", dropout: float = 0.0
    ) -> None:
        super().__init__()
        if pool not in POOLS:
            raise UsageError(f"no pooling '{pool}'; there are: {', '.join(POOLS)}")
        self.backbone = backbone
        self.dropout = nn.Dropout2d(dropout)
        self.head = head
        self.pool = pool

    def features(self, x: Tensor) -> Tensor:
        """Return the last feature map: (B,3,H,W) -> (B,F,h,w)."""
        return self.backbone(x)

    def class_maps(self, x: Tensor) -> Tensor:
        """Apply the head at every position: (B,3,H,W) -> (B,C,h,w); the pooled values are the logits."""
        return self.head(self.dropout(self.features(x)))

    def logits(self, features: Tensor) -> Tensor:
        """Apply dropout, head and pooling to the last feature map: (B,F,h,w) -> (B,C)."""
        return POOLS[self.pool](self.head(self.dropout(features)).float())

    def forward(self, x: Tensor) -> Tensor:
        """(B,3,H,W) -> logits (B,C)."""
        return self.logits(self.features(x))


def build_classifier(
    arch: str,
    n_classes: int,
    *,
    output_stride: int | None = None,
    pool: str = "average",
    dropout: float = 0.0,
    head_bias: bool = True,
    token_head: bool = False,
    drop_path: float | None = None,
) -> Classifier | FanClassifier:
    """Build a classifier with random weights.

    Args:
        arch: a name of ``wsstool.models.backbones.BACKBONES``.
        n_classes: number of outputs, one per foreground class.
        output_stride: 32, 16, 8 or 4; None keeps the network's own.
        pool: average, max, lse or topk; a FAN reads its class token instead and knows average alone.
        dropout: share of feature channels dropped in training, [0, 1).
        head_bias: give the head a bias; its weights then start small, normal with deviation 0.01; without a
            bias they are Xavier-uniform, as in the published stage 1 of WSSS-Tissue.
        token_head: of a FAN: also classify every token.
        drop_path: of a FAN, see ``build_fan_classifier``; without effect on other networks.

    Raises:
        UsageError: unknown backbone or pooling, impossible stride, no classes, a token head on a network
            without tokens.

    Example:
        >>> build_classifier("tiny", 3)(torch.zeros(2, 3, 64, 64)).shape
        torch.Size([2, 3])
    """
    if n_classes < 1:
        raise UsageError("a classifier needs at least one class that is not background")
    if arch in FAN_SIZES:
        if pool != "average":
            raise UsageError(f"--pool {pool}: {arch} uses a class token and does not pool feature maps")
        return build_fan_classifier(
            arch,
            n_classes,
            output_stride=output_stride,
            dropout=dropout,
            head_bias=head_bias,
            token_head=token_head,
            drop_path=drop_path,
        )
    if token_head:
        raise UsageError(
            f"{arch} has no tokens, so it cannot have a token head; networks with tokens: "
            f"{', '.join(FAN_SIZES)}"
        )
    backbone: Backbone = build_backbone(arch, output_stride=output_stride)
    head = nn.Conv2d(backbone.out_channels, n_classes, 1, bias=head_bias)
    if head.bias is None:
        nn.init.xavier_uniform_(head.weight)
    else:
        nn.init.normal_(head.weight, std=0.01)
        nn.init.zeros_(head.bias)
    return Classifier(backbone, head, pool, dropout)


def normalise(
    images: Tensor, mean: tuple[float, ...] | list[float], std: tuple[float, ...] | list[float]
) -> Tensor:
    """Normalise images, (B,3,H,W) uint8 -> float32: (x / 255 - mean) / std, on the device of ``images``.

    The order of operations is that of other programs: the gradients of deep ReLU networks depend on the last
    bit of their input.
    """
    view = (1, -1, 1, 1)
    shift = images.new_tensor(mean, dtype=torch.float32).view(view)
    scale = images.new_tensor(std, dtype=torch.float32).view(view)
    return (images.float() / 255).sub_(shift).div_(scale)
