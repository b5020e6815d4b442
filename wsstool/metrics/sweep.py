"""Oracle threshold sweeps: the mIoU at every background threshold, and the IoU of an object at each of its
map, from one pass over the maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wsstool.metrics.segmentation import mean_ious
from wsstool.types import IGNORE


@dataclass(frozen=True)
class SweepResult:
    """mIoU by threshold. The best threshold was chosen *with the ground truth*: an oracle, not a result.

    Args:
        thresholds: (T,) in [0, 1].
        mean_iou: (T,).
        best_threshold, best_mean_iou: at the highest mIoU; ties: the lowest threshold.
        label: always "oracle", to be printed with the number.
    """

    thresholds: np.ndarray
    mean_iou: np.ndarray
    best_threshold: float
    best_mean_iou: float
    label: str = "oracle"


class ThresholdSweep:
    """Counts of (level of the largest foreground score, its class, ground truth).

    A pixel is background at threshold t if no foreground score is above t, as if a channel of constant t came
    first. Only the level between two thresholds matters, so one histogram holds the confusion matrices of all
    thresholds.

    Args:
        n_classes: number of classes, background included.
        background: its class id.
        steps: thresholds are 0, 1/steps, ..., 1.
        ignore: ground-truth label that is not counted.

    Raises:
        ValueError: the dataset has no background.

    Source:
        Independent; the sweep itself is common practice in weakly supervised segmentation.
    """

    def __init__(self, n_classes: int, background: int, *, steps: int = 100, ignore: int = IGNORE) -> None:
        if not 0 <= background < n_classes:
            raise ValueError("a dataset without background has no background threshold to sweep")
        self.n_classes, self.background, self.ignore = n_classes, background, ignore
        self.thresholds = np.linspace(0, 1, steps + 1)
        self.counts = np.zeros((steps + 2, n_classes, n_classes), np.int64)  # level, class, truth

    def update(self, score: np.ndarray, label: np.ndarray, truth: np.ndarray) -> None:
        """Add one image.

        Args:
            score: (H, W) float, the largest foreground score, in [0, 1]; NaN is above no threshold.
            label: (H, W) integer, the class of that score.
            truth: (H, W) uint8.

        Raises:
            ValueError: the shapes differ, or the ground truth contains an unknown class.
        """
        if not score.shape == label.shape == truth.shape:
            raise ValueError(
                f"scores have shape {score.shape}, labels {label.shape} and the ground truth {truth.shape}"
            )
        counted = truth != self.ignore
        true = truth[counted].astype(np.intp)
        if true.size and true.max() >= self.n_classes:
            raise ValueError(
                f"the ground truth contains {true.max()}, but classes are 0 to {self.n_classes - 1}"
            )
        edges = self.thresholds.astype(np.float32)
        level = np.searchsorted(edges, np.nan_to_num(score[counted].astype(np.float32), nan=-1), side="left")
        key = (level * self.n_classes + label[counted]) * self.n_classes + true
        self.counts += np.bincount(key, minlength=self.counts.size).reshape(self.counts.shape)

    def merge(self, other: ThresholdSweep) -> None:
        """Add the counts of ``other``."""
        if self.counts.shape != other.counts.shape or self.background != other.background:
            raise ValueError("cannot merge sweeps with different classes or thresholds")
        self.counts += other.counts

    def matrices(self) -> np.ndarray:
        """Return (T, C, C + 1) int64: the confusion matrix at every threshold."""
        below = np.cumsum(self.counts, axis=0)[:-1]  # level <= k: the score is not above threshold k
        matrices = np.zeros((len(self.thresholds), self.n_classes, self.n_classes + 1), np.int64)
        matrices[:, :, : self.n_classes] = (self.counts.sum(axis=0) - below).transpose(0, 2, 1)
        matrices[:, :, self.background] += below.sum(axis=1)
        return matrices

    def result(self, **options: Any) -> SweepResult:
        """Return the sweep; options as in :func:`~wsstool.metrics.segmentation.segmentation_scores`."""
        scores = mean_ious(self.matrices(), background=self.background, **options)
        best = int(np.argmax(np.nan_to_num(scores, nan=-1)))
        return SweepResult(self.thresholds, scores, float(self.thresholds[best]), float(scores[best]))


def object_overlaps(prior: np.ndarray, truth: np.ndarray, area: int, levels: Sequence[float]) -> np.ndarray:
    """Return (T,) float64: the IoU of a ground-truth mask with the pixels of at least each level.

    Args:
        prior: (h, w) float in [0, 1] of a window; NaN is below every level.
        truth: (h, w) bool in the same window.
        area: pixels of the ground truth, also outside the window.
        levels: T thresholds in (0, 1], rising.

    Example:
        >>> prior, truth = np.array([[0.2, 0.6, 0.9]]), np.array([[False, True, True]])
        >>> object_overlaps(prior, truth, 4, (0.1, 0.5, 0.7)).tolist()
        [0.4, 0.5, 0.25]
    """
    values = np.nan_to_num(np.asarray(prior, np.float32), nan=-1.0)
    level = np.searchsorted(np.array(levels, np.float32), values.reshape(-1), side="right")
    found, both = (
        np.bincount(one, minlength=len(levels) + 1)[:0:-1].cumsum()[::-1]
        for one in (level, level[truth.reshape(-1)])
    )
    return np.asarray(both / np.maximum(found + area - both, 1))
