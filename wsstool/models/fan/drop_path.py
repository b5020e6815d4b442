"""Stochastic depth: in training, a residual branch is left out for some images."""

from __future__ import annotations

from torch import Tensor, nn


class DropPath(nn.Module):
    """Drop the branch of an image with probability ``rate`` and scale the others by 1 / (1 - rate).

    Source:
        Huang et al., ECCV 2016, with the scaling in training. Written from the paper.
    """

    def __init__(self, rate: float = 0.0) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Tensor) -> Tensor:
        """Transform (B,...) -> (B,...)."""
        if not self.training or self.rate == 0:
            return branch
        kept = branch.new_empty(len(branch), *[1] * (branch.ndim - 1)).bernoulli_(1 - self.rate)
        return branch * kept.div_(1 - self.rate)


def set_drop_path(network: nn.Module, rate: float) -> None:
    """Set the drop rate of every block of a network, [0, 1)."""
    for module in network.modules():
        if isinstance(module, DropPath):
            module.rate = rate
