"""Per-class report of pixels dropped by small-loss selection, since small classes can vanish unnoticed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

WARN_ABOVE = 0.3
"""Share of the foreground pixels above which selection does more harm than good."""


class DropReport(nn.Module):
    """Counts of labelled and dropped pixels per class since the last ``take``, in buffers for the checkpoint.

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
        """Add a batch: (B,H,W) class ids, which of them are valid, and which of those were kept."""
        n = len(self.labelled)
        self.labelled += torch.bincount(labels[valid].long(), minlength=n)
        self.dropped += torch.bincount(labels[valid & ~kept].long(), minlength=n)

    def take(self, names: Sequence[str], *, background: int = -1) -> dict[str, Any]:
        """Return the shares dropped: overall, of the foreground, and per labelled class; then reset."""
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
