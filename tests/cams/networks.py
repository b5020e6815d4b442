"""Small classifiers for the tests of class maps; weights made on the CPU from a seed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wsstool.models.classifier import Classifier
from wsstool.models.fan_classifier import FanClassifier, build_fan_classifier


class SmallBackbone(nn.Sequential):
    """Convolutions with batch norm; layer 1 is overwritten by layer 2, layer 4 by layer 5."""

    last_stage = "5"

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 6, 3, stride=2, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(inplace=True),
            nn.Conv2d(6, 8, 3, stride=2, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
        )


def small_classifier(pool: str = "average") -> Classifier:
    """Three classes, in evaluation mode."""
    generator = torch.Generator().manual_seed(3)
    model = Classifier(SmallBackbone(), nn.Conv2d(8, 3, 1), pool, dropout=0.5)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * 0.4)
    return model.eval()


def small_transformer() -> FanClassifier:
    """A FAN with token head, three classes, in evaluation mode; heads large enough to prefer some."""
    torch.manual_seed(3)
    model = build_fan_classifier("fan-micro", 3, token_head=True)
    with torch.no_grad():
        model.head.aux_head.weight.mul_(10)
    return model.eval()


def small_tower() -> nn.Module:
    """An image tower of timm with vectors of three classes and one of the background, in evaluation mode."""
    from wsstool.models.backbones.timm_network import timm_backbone
    from wsstool.models.image_text.classifier import TextClassifier

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        backbone = timm_backbone("timm:test_vit", outputs=8)
        vectors = torch.randn(4, 8)
    return TextClassifier(backbone, vectors[:3], vectors[3:]).eval()


def batch(n: int = 4, side: tuple[int, int] = (20, 28)) -> tuple[Tensor, Tensor]:
    """Images (n, 3, *side) and targets (n, 3): 2, 1, 0, 3 classes, and so on."""
    x = torch.randn(n, 3, *side, generator=torch.Generator().manual_seed(5))
    targets = torch.tensor([[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 1]], dtype=torch.bool)
    return x, targets.repeat(-(-n // 4), 1)[:n]
