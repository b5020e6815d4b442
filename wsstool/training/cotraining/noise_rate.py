"""Estimate the share of wrong labels from the confidence of the networks, without ground truth."""

from __future__ import annotations

import torch
from torch import nn

LARGEST = 0.5
"""Upper bound of the estimate: beyond it, a small loss no longer indicates a correct label."""


class ConfidentJoint(nn.Module):
    """Counts of (labelled class, confidently predicted class), kept in buffers.

    A pixel labelled i counts for class j if the predicted probability of j is at least t_j, the mean
    probability of j over the pixels labelled j, and j is the most probable of such classes. Each row is
    scaled to the number of pixels with that label; the off-diagonal share is the estimate. The thresholds
    make it fair between classes that are learned early and late.

    The state is kept in buffers, so that it is part of the training checkpoint.

    Args:
        n_classes: C.
    Notes:
        The thresholds are running means, so one pass is enough and the first batch is judged by itself.
        Intended for predictions from early training, before wrong labels are memorised. The estimate is
        biased low: errors common to all masks (each outline too wide by the same margin) look right to a
        network, and dropping too many pixels costs more than dropping too few.
    Source:
        Northcutt et al., JAIR 2021, section 3.1 (confident joint). From the paper; running thresholds ours.
    Example:
        >>> joint = ConfidentJoint(2)
        >>> probs = torch.tensor([[0.9, 0.9, 0.1, 0.1], [0.1, 0.1, 0.9, 0.9]]).view(1, 2, 1, 4)
        >>> joint.update(probs, torch.tensor([[[0, 0, 1, 1]]]), torch.ones(1, 1, 4, dtype=torch.bool))
        >>> joint.estimate()
        0.0
    """

    confidence: torch.Tensor
    labelled: torch.Tensor
    joint: torch.Tensor

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        # float64 counts are exact up to 2**53 pixels
        self.register_buffer("confidence", torch.zeros(n_classes, dtype=torch.float64))
        self.register_buffer("labelled", torch.zeros(n_classes, dtype=torch.float64))
        self.register_buffer("joint", torch.zeros(n_classes, n_classes, dtype=torch.float64))

    @torch.no_grad()
    def update(self, probs: torch.Tensor, labels: torch.Tensor, valid: torch.Tensor) -> None:
        """Add the pixels of a batch.

        Args:
            probs: (B,C,H,W) softmax probabilities; the mean of both, for two networks.
            labels: (B,H,W) class ids.
            valid: (B,H,W) bool; other pixels are ignored.
        """
        n_classes = probs.shape[1]
        own = labels[valid].long()  # (n,)
        p = probs.detach().float().movedim(1, -1)[valid]  # (n, C)
        if not len(own):
            return
        self.labelled += torch.bincount(own, minlength=n_classes).double()
        self_confidence = p.gather(1, own[:, None]).squeeze(1).double()
        self.confidence.index_add_(0, own, self_confidence)
        thresholds = self.confidence / self.labelled  # NaN for a class that never occurs: compares false
        score, confident = torch.where(p >= thresholds.float(), p, -1.0).max(dim=1)
        pairs = (own * n_classes + confident)[score >= 0]
        self.joint += torch.bincount(pairs, minlength=n_classes**2).view(n_classes, n_classes).double()

    def estimate(self) -> float:
        """Return the share of wrong labels among all pixels, [0, ``LARGEST``]; 0 before the first batch."""
        total = self.labelled.sum()
        if not total:
            return 0.0
        wrong = self.joint.sum(dim=1) - self.joint.diagonal()
        share = wrong / self.joint.sum(dim=1).clamp(min=1.0)  # per labelled class
        return min(LARGEST, float((share * self.labelled).sum() / total))
