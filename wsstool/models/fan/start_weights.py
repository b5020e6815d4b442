"""Random initial weights, as in the published training.

The projections of patches and positions keep the default initialisation of torch.
"""

from __future__ import annotations

import math

from torch import nn

DEVIATION = 0.02


def start_stem(stem: nn.Module) -> None:
    """Initialise every convolution with a truncated normal distribution and zero bias."""
    for module in stem.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.trunc_normal_(module.weight, std=DEVIATION)
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]


def start_blocks(blocks: nn.Module) -> None:
    """Initialise linear layers (truncated normal) and 3x3 depthwise convolutions (normal); no biases."""
    for module in blocks.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=DEVIATION)
        elif isinstance(module, nn.Conv2d):
            fan_out = math.prod(module.kernel_size) * module.out_channels // module.groups
            nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
        if isinstance(module, nn.Linear | nn.Conv2d) and module.bias is not None:
            nn.init.zeros_(module.bias)
