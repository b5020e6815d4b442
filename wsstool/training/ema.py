"""Exponential moving average of weights: more stable than the last step's weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

States = dict[str, dict[str, Tensor]]


class Ema:
    """A moving average of the parameters and buffers of some modules.

    avg <- d avg + (1 - d) value with d = min(decay, (1 + t) / (10 + t)) at update t, so that the start does
    not dominate short runs; integer buffers are copied.

    Args:
        modules: name -> module, read but never changed.
        decay: weight of the old average per step, [0, 1).

    Source:
        Polyak and Juditsky, 1992; the warm-up is common practice.
    """

    def __init__(self, modules: Mapping[str, nn.Module], decay: float) -> None:
        self.modules = modules
        self.decay = decay
        self.updates = 0
        self.average = snapshot(modules)

    @torch.no_grad()
    def update(self) -> None:
        """Add the current weights to the average."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        for name, module in self.modules.items():
            average = self.average[name]
            for key, value in module.state_dict().items():
                if value.is_floating_point():
                    average[key].lerp_(value, 1 - decay)
                else:
                    average[key].copy_(value)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the average into the modules inside this context; restore their own weights afterwards."""
        own = snapshot(self.modules)
        restore(self.modules, self.average)
        try:
            yield
        finally:
            restore(self.modules, own)


def snapshot(modules: Mapping[str, nn.Module]) -> States:
    """Return a copy of the state dicts of some modules, on their devices."""
    return {n: {k: v.detach().clone() for k, v in m.state_dict().items()} for n, m in modules.items()}


def restore(modules: Mapping[str, nn.Module], states: States) -> None:
    """Restore a snapshot."""
    for name, module in modules.items():
        module.load_state_dict(states[name])
