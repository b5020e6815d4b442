"""Small networks for the tests of class maps; weights made on the CPU from a seed."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SmallClassifier(nn.Module):
    """Convolutions with batch norm, a 1x1 head, a pool: the interface of a wsstool classifier, 3 classes."""

    default_layer = "backbone.5"

    def __init__(self, pool: str = "average") -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(3, 6, 3, stride=2, padding=1),  # 0
            nn.BatchNorm2d(6),  # 1: its output is overwritten by the next layer
            nn.ReLU(inplace=True),  # 2
            nn.Conv2d(6, 8, 3, stride=2, padding=1),  # 3
            nn.BatchNorm2d(8),  # 4
            nn.ReLU(inplace=True),  # 5
        )
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Conv2d(8, 3, 1)
        self.kind = pool

    def features(self, x: Tensor) -> Tensor:
        return self.backbone(x)

    def class_maps(self, x: Tensor) -> Tensor:
        return self.head(self.dropout(self.features(x)))

    def pool(self, maps: Tensor) -> Tensor:
        flat = maps.flatten(2)
        if self.kind == "average":
            return flat.mean(2)
        if self.kind == "max":
            return flat.amax(2)
        if self.kind == "lse":
            return flat.logsumexp(2) - torch.tensor(float(flat.shape[2])).log()
        return flat.topk(3, dim=2).values.mean(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(self.class_maps(x))


def small_classifier(pool: str = "average") -> SmallClassifier:
    generator = torch.Generator().manual_seed(3)
    model = SmallClassifier(pool)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * 0.4)
    return model.eval()


def batch(n: int = 4) -> tuple[Tensor, Tensor]:
    """Images (n, 3, 20, 28) and targets (n, 3): 2, 1, 0, 3 classes, and so on."""
    x = torch.randn(n, 3, 20, 28, generator=torch.Generator().manual_seed(5))
    targets = torch.tensor([[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 1]], dtype=torch.bool)
    return x, targets.repeat(-(-n // 4), 1)[:n]
