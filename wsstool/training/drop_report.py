"""What small-loss selection throws away, class by class: half of a small class can vanish unseen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

WARN_ABOVE = 0.3
"""Share of the pixels labelled foreground; beyond it selection costs more than it mends."""


class DropReport(nn.Module):
    """Counts of labelled and dropped pixels by class since the last ``take``, in buffers for the checkpoint.

    Example:
        >>> report = DropReport(2)
        >>> every = torch.ones(1, 1, 4, dtype=torch.bool)
        >>> report.update(torch.tensor([[[0, 0, 1, 1]]]), every, torch.tensor([[[True, True, True, False]]]))
        >>> report.take(("ground", "cat"), background=0)
        {'dropped': 0.25, 'dropped_foreground': 0.5, 'dropped_by_class': {'ground': 0.0, 'cat': 0.5}}
    """

    labelled: torch.Tensor
    dropped: torch.Tensor

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.register_buffer("labelled", torch.zeros(n_classes, dtype=torch.int64))
        self.register_buffer("dropped", torch.zeros(n_classes, dtype=torch.int64))

    @torch.no_grad()
    def update(self, labels: torch.Tensor, valid: torch.Tensor, kept: torch.Tensor) -> None:
        """Add a batch: (B,H,W) class ids, which of them are valid, which of those were kept."""
        n = len(self.labelled)
        self.labelled += torch.bincount(labels[valid].long(), minlength=n)
        self.dropped += torch.bincount(labels[valid & ~kept].long(), minlength=n)

    def take(self, names: Sequence[str], *, background: int = -1) -> dict[str, Any]:
        """Shares dropped, in all, of the foreground, and of each class that was labelled; then count anew."""
        labelled, dropped = self.labelled.tolist(), self.dropped.tolist()
        self.labelled.zero_()
        self.dropped.zero_()
        if not sum(labelled):
            return {}
        shares: dict[str, Any] = {"dropped": sum(dropped) / sum(labelled)}
        foreground = [c for c in range(len(labelled)) if c != background]
        if total := sum(labelled[c] for c in foreground):
            shares["dropped_foreground"] = sum(dropped[c] for c in foreground) / total
        by_class = {names[c]: dropped[c] / n for c, n in enumerate(labelled) if n}
        return {**shares, "dropped_by_class": by_class}
