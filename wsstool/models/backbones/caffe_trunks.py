"""The two trunks of the published FCNs, layer by layer, with the classifier as convolutions.

Both pad the image by 100 pixels and round sizes up at poolings, so that an image of any size gets a score.
Caffe's weights of both expect BGR in 0 to 255, minus a mean.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from wsstool.models.backbones.grid import Grid, behind_layer

CAFFE_MEAN = (122.67891434 / 255, 116.66876762 / 255, 104.00698793 / 255)
"""Mean of red, green and blue in [0, 1]; the networks reorder the channels themselves."""

CAFFE_STD = (1 / 255, 1 / 255, 1 / 255)
"""Chosen such that colours reach the network in steps of 1."""

PADDING = 100
"""Padding of the first convolution in pixels: even a single pixel then has a 7x7 map for ``fc6``."""


class Trunk(nn.Sequential):
    """A chain of named layers up to ``fc7``: the counterpart of ``Backbone`` for the published FCNs.

    Attributes:
        arch: vgg-16 or alexnet.
        tap_at: stride -> name of the layer from which a score map of that stride is computed.
        last_stage: name of the layer with the last features.
        stride: of the last features.
    """

    def __init__(self, arch: str, layers: OrderedDict[str, nn.Module], tap_at: dict[int, str]) -> None:
        super().__init__(layers)
        self.arch, self.tap_at = arch, tap_at
        self.stride = max(tap_at)
        self.last_stage = tap_at[self.stride]

    def features_of(self, x: Tensor, names: Sequence[str]) -> list[Tensor]:
        """Return the features after each of the layers ``names``, in one pass."""
        found = {}
        for name, layer in self.named_children():
            x = layer(x)
            if name in names:
                found[name] = x
        return [found[name] for name in names]

    def grid(self, name: str) -> Grid:
        """Return the grid of the cells after a layer."""
        grid = Grid()
        for key, layer in self.named_children():
            grid = behind_layer(grid, layer)
            if key == name:
                break
        return grid

    def channels(self, name: str) -> int:
        """Return the number of channels after a layer."""
        channels = 3
        for key, layer in self.named_children():
            channels = layer.out_channels if isinstance(layer, nn.Conv2d) else channels
            if key == name:
                break
        return channels


def vgg16_trunk(width: int = 4096, channels: Sequence[int] = (64, 128, 256, 512, 512)) -> Trunk:
    """Build VGG-16 with ``fc6`` as a 7x7 convolution: strides 8, 16, 32 at ``pool3``, ``pool4``, ``fc7``.

    Args:
        width: channels of ``fc6`` and ``fc7``.
        channels: of the five blocks.
    Source:
        Long et al., CVPR 2015 and PAMI 2016; Simonyan and Zisserman, ICLR 2015. From the papers and a
        description of the published network.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    inside, padding = 3, PADDING
    for block, outside in enumerate(channels, 1):
        for number in range(1, 3 if block < 3 else 4):
            layers[f"conv{block}_{number}"] = nn.Conv2d(inside, outside, 3, padding=padding)
            layers[f"relu{block}_{number}"] = nn.ReLU(inplace=True)
            inside, padding = outside, 1
        layers[f"pool{block}"] = nn.MaxPool2d(2, 2, ceil_mode=True)
    layers |= _classifier(inside, width, 7)
    return Trunk("vgg-16", _started(layers), {32: "drop7", 16: "pool4", 8: "pool3"})


def alexnet_trunk(width: int = 4096, channels: Sequence[int] = (96, 256, 384, 384, 256)) -> Trunk:
    """Build Caffe's AlexNet with ``fc6`` as a 6x6 convolution, stride 32.

    Source:
        Long et al., CVPR 2015; Krizhevsky et al., NIPS 2012, with the normalisation after the pooling, as in
        Caffe. From the papers and a description of the published network.
    """
    one, two, three, four, five = channels

    def relu() -> nn.Module:
        return nn.ReLU(inplace=True)

    def pool() -> nn.Module:
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(3, one, 11, 4, PADDING),
        relu1=relu(),
        pool1=pool(),
        norm1=nn.LocalResponseNorm(5),
        conv2=nn.Conv2d(one, two, 5, padding=2, groups=2),
        relu2=relu(),
        pool2=pool(),
        norm2=nn.LocalResponseNorm(5),
        conv3=nn.Conv2d(two, three, 3, padding=1),
        relu3=relu(),
        conv4=nn.Conv2d(three, four, 3, padding=1, groups=2),
        relu4=relu(),
        conv5=nn.Conv2d(four, five, 3, padding=1, groups=2),
        relu5=relu(),
        pool5=pool(),
    )
    layers |= _classifier(five, width, 6)
    return Trunk("alexnet", _started(layers), {32: "drop7"})


def _classifier(inside: int, width: int, kernel: int) -> OrderedDict[str, nn.Module]:
    """Build the two hidden layers of the classifier; dropout is element-wise, as in Caffe."""
    return OrderedDict(
        fc6=nn.Conv2d(inside, width, kernel),
        relu6=nn.ReLU(inplace=True),
        drop6=nn.Dropout(0.5),
        fc7=nn.Conv2d(width, width, 1),
        relu7=nn.ReLU(inplace=True),
        drop7=nn.Dropout(0.5),
    )


def _started(layers: OrderedDict[str, nn.Module]) -> OrderedDict[str, nn.Module]:
    """Apply He's normal initialisation: with torch's default, 16 layers would let nothing through."""
    for layer in layers.values():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layers
