"""ResNet-38d: the wide, shallow pre-activation residual network of stage 1 of WSSS-Tissue, stride 8.

Sixteen residual blocks, the last two of which are wide bottlenecks; the stride stays at 8, and from ``b5`` on
the convolutions are dilated instead. No convolution has a bias. Names are those of the published weights.

Source:
    Wu, Shen and van den Hengel, Pattern Recognition 2019 ("Wider or deeper", network A1), with the dilations
    of Ahn and Kwak, CVPR 2018, used by Han et al., MedIA 2022. Written from the papers and a table of
    layers.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional as F


def _conv(inside: int, outside: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    padding = dilation * (kernel // 2)
    return nn.Conv2d(inside, outside, kernel, stride, padding, dilation, bias=False)


class PlainBlock(nn.Module):
    """Pre-activation block: two 3x3 convolutions, each after norm and ReLU, added to the input.

    Args:
        inside, middle, outside: channels.
        stride: of the first convolution and of the shortcut.
        dilations: of the first and the second convolution.
    """

    def __init__(
        self,
        inside: int,
        middle: int,
        outside: int,
        stride: int = 1,
        dilations: tuple[int, int] = (1, 1),
    ) -> None:
        super().__init__()
        first, second = dilations
        self.bn_branch2a = nn.BatchNorm2d(inside)
        self.conv_branch2a = _conv(inside, middle, stride=stride, dilation=first)
        self.bn_branch2b1 = nn.BatchNorm2d(middle)
        self.conv_branch2b1 = _conv(middle, outside, dilation=second)
        self.conv_branch1 = (
            None if inside == outside and stride == 1 else _conv(inside, outside, kernel=1, stride=stride)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B,inside,H,W) -> (B,outside,ceil(H/stride),ceil(W/stride)), the residual sum, not rectified."""
        a = F.relu(self.bn_branch2a(x))
        shortcut = x if self.conv_branch1 is None else self.conv_branch1(a)
        branch = F.relu(self.bn_branch2b1(self.conv_branch2a(a)))  # (B,middle,h,w)
        return shortcut + self.conv_branch2b1(branch)


class BottleneckBlock(nn.Module):
    """1x1, dilated 3x3 and 1x1 convolution with channel dropout in between, added to a 1x1 shortcut.

    Args:
        inside, outside: channels; the inner ones are a quarter and a half of ``outside``.
        dilation: of the 3x3 convolution.
        dropout: share of the channels dropped in training before the second and the third convolution.
    """

    def __init__(self, inside: int, outside: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.bn_branch2a = nn.BatchNorm2d(inside)
        self.conv_branch2a = _conv(inside, outside // 4, kernel=1)
        self.bn_branch2b1 = nn.BatchNorm2d(outside // 4)
        self.conv_branch2b1 = _conv(outside // 4, outside // 2, dilation=dilation)
        self.bn_branch2b2 = nn.BatchNorm2d(outside // 2)
        self.conv_branch2b2 = _conv(outside // 2, outside, kernel=1)
        self.conv_branch1 = _conv(inside, outside, kernel=1)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B,inside,H,W) -> (B,outside,H,W), the residual sum, not rectified."""
        a = F.relu(self.bn_branch2a(x))
        branch = self.dropout(F.relu(self.bn_branch2b1(self.conv_branch2a(a))))  # (B,outside/4,H,W)
        branch = self.dropout(F.relu(self.bn_branch2b2(self.conv_branch2b1(branch))))  # (B,outside/2,H,W)
        return self.conv_branch1(a) + self.conv_branch2b2(branch)


class RectifiedNorm(nn.BatchNorm2d):
    """Batch norm and ReLU as one layer: its output is what pooling and the head read."""

    def forward(self, input: Tensor) -> Tensor:
        """(B,C,H,W) -> (B,C,H,W), >= 0."""
        return F.relu(super().forward(input))


def resnet38d_layers() -> OrderedDict[str, nn.Module]:
    """Return the layers by name, from the image to the rectified 4096 channels that the head reads.

    Example:
        >>> list(resnet38d_layers())[-4:]
        ['b5_2', 'b6', 'b7', 'bn7']
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(conv1a=_conv(3, 64))  # stride 1
    inside = 64
    for name, channels, more in (("b2", 128, 2), ("b3", 256, 2), ("b4", 512, 5)):  # strides 2, 4, 8
        layers[name] = PlainBlock(inside, channels, channels, stride=2)
        for i in range(1, more + 1):
            layers[f"{name}_{i}"] = PlainBlock(channels, channels, channels)
        inside = channels
    layers["b5"] = PlainBlock(512, 512, 1024, dilations=(1, 2))
    layers["b5_1"] = PlainBlock(1024, 512, 1024, dilations=(2, 2))
    layers["b5_2"] = PlainBlock(1024, 512, 1024, dilations=(2, 2))
    layers["b6"] = BottleneckBlock(1024, 2048, dilation=4, dropout=0.3)
    layers["b7"] = BottleneckBlock(2048, 4096, dilation=4, dropout=0.5)
    layers["bn7"] = RectifiedNorm(4096)
    return layers
