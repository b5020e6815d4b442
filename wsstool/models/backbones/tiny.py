"""The backbone ``tiny``: small enough to train from scratch on a laptop."""

from __future__ import annotations

from torch import Tensor, nn


def tiny_features() -> nn.Sequential:
    """Build a small residual network, stride 8, 0.3 M parameters, for training from scratch on a laptop."""
    return nn.Sequential(
        _conv_bn(3, 24, stride=2),
        _conv_bn(24, 48, stride=2),
        Residual(48),
        _conv_bn(48, 96, stride=2),
        Residual(96),
        _conv_bn(96, 160, kernel=1),
    )


def _conv_bn(inside: int, outside: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(),
    )


class Residual(nn.Module):
    """ReLU of x plus two 3x3 convolutions of x."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv_bn(channels, channels)
        self.second = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(x + self.second(self.first(x)))
