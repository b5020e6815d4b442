"""FCNs of a few channels for the tests, with weights that keep activations away from 0 and from infinity."""

from __future__ import annotations

import torch
from torch import nn

from wsstool.models.backbones.caffe_trunks import vgg16_trunk
from wsstool.models.heads.fcn import FCN, _published_tap, _scaled
from wsstool.registries.segmenters import FINEST


def small_fcn(head: str, n_classes: int = 3, *, channel_order: str = "rgb", width: int = 8) -> FCN:
    """The published network with 4 to 6 channels a layer."""
    trunk = vgg16_trunk(width, channels=(4, 4, 5, 6, 6))
    strides = [stride for stride in trunk.tap_at if stride >= FINEST[head]]
    taps = [_published_tap(trunk, stride, FINEST[head]) for stride in strides]
    return FCN(trunk, _scaled(taps, head), n_classes, channel_order=channel_order)


def lively(network: nn.Module, *, upscores: bool = False, seed: int = 0) -> nn.Module:
    """Random scores, biases and, where asked for, upsampling; in eval mode."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name.startswith("score") or (upscores and name.startswith("upscore")):
                value.copy_(torch.randn(value.shape, generator=generator))
            elif name.endswith("bias"):
                value.copy_(0.1 * torch.rand(value.shape, generator=generator))
    return network.eval()
