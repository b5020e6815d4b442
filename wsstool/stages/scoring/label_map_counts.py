"""The counts of label maps: one confusion matrix per image and layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from wsstool.metrics.boundary import BoundaryCounts
from wsstool.metrics.confusion import ConfusionMatrix
from wsstool.metrics.sweep import ThresholdSweep
from wsstool.types import ClassList


@dataclass
class Row:
    """The counts of one layer of one source."""

    name: str
    confusion: ConfusionMatrix
    boundary: BoundaryCounts | None = None
    sweep: ThresholdSweep | None = None

    def content(self) -> dict[str, Any]:
        """Return plain values: for each image the cells that are not empty, and their counts, in turn."""
        images = self.confusion.images()
        bounds = np.searchsorted(images.image, np.arange(images.n_images + 1))
        pairs = np.stack([images.cell, images.count], axis=1)
        counts = [pairs[a:b].reshape(-1).tolist() for a, b in pairwise(bounds)]
        return {"name": self.name, "counts": counts}

    @classmethod
    def of_content(cls, content: dict[str, Any], n_classes: int) -> Row:
        """Read what ``content`` gave."""
        confusion = ConfusionMatrix(n_classes, keep_images=True)
        for flat in content["counts"]:
            pairs = np.array(flat, np.int64).reshape(-1, 2)
            matrix = np.zeros(n_classes * (n_classes + 1), np.int64)
            matrix[pairs[:, 0]] = pairs[:, 1]
            confusion.update_counts(matrix.reshape(n_classes, n_classes + 1))
        return cls(content["name"], confusion)


@dataclass
class LabelMapCounts:
    """The counts of one source, or of several score files.

    Args:
        name: of the source.
        kind: ``mask``, ``cam``, ``folder`` or ``scores``.
        classes: the class list.
        images: names of the images that were scored.
        tags: (N, C) bool, their image-level labels; ``tags_from`` is their source: ``file`` or ``truth``.
        rows: one per layer.
        without_truth: images that were left out because they have no ground truth.
        failed: images that failed in an earlier stage: every pixel counts as a prediction of 255.
        image_scores: (N, C) image-level scores, NaN where unknown, or None; not in score files.
        root: data folder of the images, where it is known; not in score files.
    """

    name: str
    kind: str
    classes: ClassList
    images: list[str]
    tags: np.ndarray
    tags_from: str
    rows: list[Row]
    without_truth: int = 0
    failed: int = 0
    image_scores: np.ndarray | None = None
    root: Path | None = None

    def content(self, summary: dict[str, Any]) -> dict[str, Any]:
        """Return plain values for a score file."""
        return {
            "source": self.name,
            "classes": list(self.classes.names),
            "background": self.classes.background,
            "images": self.images,
            "tags": [np.flatnonzero(one).tolist() for one in self.tags],
            "tags_from": self.tags_from,
            "without_truth": self.without_truth,
            "failed": self.failed,
            "rows": [row.content() for row in self.rows],
        }

    @classmethod
    def of_content(cls, content: dict[str, Any]) -> LabelMapCounts:
        """Read what ``content`` gave."""
        classes = ClassList(tuple(content["classes"]), content["background"])
        return cls(
            content["source"],
            "scores",
            classes,
            list(content["images"]),
            _tags(content["tags"], len(classes)),
            content["tags_from"],
            [Row.of_content(row, len(classes)) for row in content["rows"]],
            content["without_truth"],
            content["failed"],
        )

    def join(self, other: LabelMapCounts) -> None:
        """Add the counts of other images."""
        if other.classes != self.classes or [r.name for r in other.rows] != [r.name for r in self.rows]:
            raise ValueError("scores different classes or layers than")
        for row, theirs in zip(self.rows, other.rows, strict=True):
            row.confusion.merge(theirs.confusion)
        self.images += other.images
        self.tags = np.concatenate([self.tags, other.tags])
        self.without_truth += other.without_truth
        self.failed += other.failed


def truth_pixels(confusion: ConfusionMatrix) -> np.ndarray:
    """Return the (N, C) int64 ground-truth pixels of each class in each image."""
    images, n = confusion.images(), confusion.n_classes
    key = images.image * n + images.cell // (n + 1)
    counts = np.bincount(key, weights=images.count, minlength=images.n_images * n)
    return counts.astype(np.int64).reshape(-1, n)


def predicted_pixels(confusion: ConfusionMatrix) -> np.ndarray:
    """Return the (N, C) int64 predicted pixels of each class in each image; those of 255 are left out."""
    images, n = confusion.images(), confusion.n_classes
    key = images.image * (n + 1) + images.cell % (n + 1)
    counts = np.bincount(key, weights=images.count, minlength=images.n_images * (n + 1))
    return counts.astype(np.int64).reshape(-1, n + 1)[:, :n]


def _tags(tags: Sequence[Sequence[int]], n_classes: int) -> np.ndarray:
    table = np.zeros((len(tags), n_classes), bool)
    for i, ids in enumerate(tags):
        table[i, ids] = True
    return table
