"""Metrics of referring segmentation: every sentence is a sample, at the original size of the image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from wsstool.metrics.bootstrap import mean_interval, ratio_difference_interval, ratio_interval
from wsstool.metrics.sizes import SIZES

PRECISIONS = (0.5, 0.6, 0.7, 0.8, 0.9)
"""IoU from which on a sentence counts as right; reported as ``prec_50`` and so on."""

LENGTHS = {"1-2": (1, 2), "3": (3, 3), "4-5": (4, 5), "6-20": (6, math.inf)}
"""Fewest and most words of the sentences that are reported together; longer ones are read up to word 20."""


@dataclass(frozen=True)
class SentenceCounts:
    """Pixel counts of S sentences, (S,) arrays.

    Args:
        image: number of the image of each sentence.
        intersection: pixels that are in the prediction and in the ground truth.
        predicted: pixels of the prediction.
        truth: pixels of the ground truth; 0 for a sentence without a target.
        has_target: bool: the sentence names an object.
        words: words of the sentence.

    Raises:
        ValueError: arrays of different lengths, or counts that no masks have.
    """

    image: np.ndarray
    intersection: np.ndarray
    predicted: np.ndarray
    truth: np.ndarray
    has_target: np.ndarray
    words: np.ndarray

    def __post_init__(self) -> None:
        for one in fields(self):
            kind = bool if one.name == "has_target" else np.int64
            object.__setattr__(self, one.name, np.asarray(getattr(self, one.name), kind).reshape(-1))
        lengths = {one.name: len(getattr(self, one.name)) for one in fields(self)}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of different lengths: {lengths}")
        smaller = np.minimum(self.predicted, self.truth)
        if ((self.intersection < 0) | (self.intersection > smaller)).any():
            raise ValueError("an intersection that is larger than its masks, or negative")
        if self.truth[~self.has_target].any():
            raise ValueError("ground truth of a sentence without a target")

    def __len__(self) -> int:
        return len(self.image)

    @property
    def union(self) -> np.ndarray:
        """Pixels that are in the prediction or in the ground truth, (S,)."""
        return self.predicted + self.truth - self.intersection

    @property
    def iou(self) -> np.ndarray:
        """IoU of each sentence, (S,) float64; 1 where both masks are empty."""
        union = self.union
        return np.where(union > 0, self.intersection / np.maximum(union, 1), 1.0)

    @classmethod
    def joined(cls, parts: Sequence[SentenceCounts]) -> SentenceCounts:
        """Join the counts of several sets of images."""
        return cls(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(cls)))

    def of(self, chosen: np.ndarray) -> SentenceCounts:
        """Return the counts of some sentences, by a bool mask or by numbers."""
        return SentenceCounts(*(getattr(self, one.name)[chosen] for one in fields(self)))


def sentence_counts(
    predictions: Sequence[np.ndarray],
    truths: Sequence[np.ndarray | None],
    *,
    image: Sequence[int],
    words: Sequence[int],
) -> SentenceCounts:
    """Count the pixels of masks, one pair per sentence.

    Args:
        predictions: (H, W) bool each, at the original size of the image.
        truths: (H, W) bool each, of the same size; None for a sentence without a target.
        image: number of the image of each sentence.
        words: words of each sentence.

    Raises:
        ValueError: different numbers of sentences, or masks of different sizes.
    """
    counts = []
    for found, truth in zip(predictions, truths, strict=True):
        if truth is not None and truth.shape != found.shape:
            raise ValueError(f"a prediction of {found.shape} pixels, ground truth of {truth.shape}")
        counts.append(
            (0 if truth is None else (found & truth).sum(), found.sum(), 0 if truth is None else truth.sum())
        )
    intersection, predicted, area = np.array(counts, np.int64).reshape(-1, 3).T
    has_target = np.array([truth is not None for truth in truths], bool)
    return SentenceCounts(np.array(image), intersection, predicted, area, has_target, np.array(words))


def referring_scores(
    counts: SentenceCounts,
    *,
    bootstrap: int = 1000,
    groups: Sequence[object] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Return all scores as plain values; None if nothing was measured.

    Args:
        counts: the sentences.
        bootstrap: resamples for the 95 % intervals, by whole images; 0: none.
        groups: one value per image number, whose equal values are resampled together; None: by image.
        seed: of the resampling.

    Returns:
        ``overall_iou``: sum of all intersections by sum of all unions, which favours large objects;
        ``mean_iou``: mean over sentences; ``prec_50`` to ``prec_90``: share of sentences with at least that
        IoU; ``sentences`` with a target and ``both_empty``, those of them whose masks are empty and whose IoU
        is 1. ``by_length`` and ``by_size`` have the same for parts. ``no_target`` counts the sentences
        without a target apart: one is right if its mask is empty. ``interval`` has ``overall_iou`` and
        ``mean_iou``.

    Notes:
        Some programs count an IoU of exactly the limit as wrong; here it is right.

    Source:
        Yu et al., CVPR 2018, and Feng et al., CVPR 2020 (definitions); written from a description.

    Example:
        >>> two = SentenceCounts([0, 0], [2, 30], [4, 30], [2, 60], [True, True], [2, 7])
        >>> found = referring_scores(two, bootstrap=0)
        >>> found["overall_iou"], found["mean_iou"], found["prec_50"], found["prec_60"]
        (0.5, 0.5, 1.0, 0.0)
    """
    targets, others = counts.of(counts.has_target), counts.of(~counts.has_target)
    right = int((others.predicted == 0).sum())
    found: dict[str, Any] = {
        **_scores(targets),
        "both_empty": int((targets.union == 0).sum()),
        "by_length": {
            name: _scores(targets.of((targets.words >= low) & (targets.words <= high)))
            for name, (low, high) in LENGTHS.items()
        },
        "by_size": {
            name: _scores(targets.of((targets.truth >= low) & (targets.truth < high)))
            for name, (low, high) in SIZES.items()
        },
        "no_target": {
            "sentences": len(others),
            "right": right,
            "accuracy": right / len(others) if len(others) else None,
        },
    }
    if bootstrap and len(targets):
        options: dict[str, Any] = {"groups": groups, "samples": bootstrap, "seed": seed}
        overall = ratio_interval(targets.intersection, targets.union, targets.image, **options)
        mean = mean_interval(targets.iou, targets.image, **options)
        found["interval"] = {"overall_iou": vars(overall), "mean_iou": vars(mean)}
    return found


def referring_difference(
    counts: SentenceCounts,
    others: SentenceCounts,
    *,
    bootstrap: int = 1000,
    groups: Sequence[object] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Return the scores of one method minus those of another on the same sentences.

    Args:
        counts, others: of the same sentences in the same order.
        bootstrap, groups, seed: as in :func:`referring_scores`; images are drawn for both methods at once.

    Returns:
        ``overall_iou`` and ``mean_iou``, and ``interval`` with the same names; None without sentences that
        have a target, no interval without resamples.

    Raises:
        ValueError: other sentences.
    """
    same = ("image", "truth", "has_target", "words")
    if not all(np.array_equal(getattr(counts, name), getattr(others, name)) for name in same):
        raise ValueError("other sentences")
    targets, theirs = counts.of(counts.has_target), others.of(others.has_target)
    if not len(targets):
        return dict.fromkeys(("overall_iou", "mean_iou"))
    mine, other = _scores(targets), _scores(theirs)
    found: dict[str, Any] = {name: mine[name] - other[name] for name in ("overall_iou", "mean_iou")}
    if bootstrap:
        options: dict[str, Any] = {"groups": groups, "samples": bootstrap, "seed": seed}
        sums = (targets.intersection, theirs.intersection), (targets.union, theirs.union)
        overall = ratio_difference_interval(*sums, targets.image, **options)
        mean = mean_interval(targets.iou - theirs.iou, targets.image, **options)
        found["interval"] = {"overall_iou": vars(overall), "mean_iou": vars(mean)}
    return found


def scores_by(counts: SentenceCounts, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the scores of the sentences with a target by a name of each, such as the data set or the split.

    Raises:
        ValueError: another number of names than of sentences.
    """
    if len(names) != len(counts):
        raise ValueError(f"{len(names)} names for {len(counts)} sentences")
    labels = np.array(names, object)
    return {name: _scores(counts.of(counts.has_target & (labels == name))) for name in dict.fromkeys(names)}


def largest_object(masks: np.ndarray) -> int:
    """Return the number of the object with the most pixels: a blind baseline.

    It knows the masks of all objects of an image and none of the sentences, as the other one does: what a
    perfect segmenter that cannot read would reach.

    Args:
        masks: (N, H, W) bool, at least one; of equal objects the first counts.

    Source:
        Independent.
    """
    return int(masks.reshape(len(masks), -1).sum(1).argmax())


def central_object(masks: np.ndarray) -> int:
    """Return the number of the object whose centroid is nearest to the centre of the image.

    Args:
        masks: (N, H, W) bool, at least one; an empty mask is infinitely far away.

    Source:
        Independent.
    """
    rows, columns = masks.shape[1:]
    y, x = np.mgrid[:rows, :columns]
    centre = (rows - 1) / 2, (columns - 1) / 2
    return int(np.argmin([_distance(mask, y, x, centre) for mask in masks]))


def _distance(mask: np.ndarray, y: np.ndarray, x: np.ndarray, centre: tuple[float, float]) -> float:
    return math.hypot(y[mask].mean() - centre[0], x[mask].mean() - centre[1]) if mask.any() else math.inf


def _scores(targets: SentenceCounts) -> dict[str, Any]:
    """Return the scores of sentences that all have a target; None without sentences."""
    names = ["overall_iou", "mean_iou", *(f"prec_{limit * 100:.0f}" for limit in PRECISIONS)]
    if not len(targets):
        return {"sentences": 0, **dict.fromkeys(names)}
    iou, union = targets.iou, targets.union.sum()
    overall = targets.intersection.sum() / union if union else 1.0
    values = [overall, iou.mean(), *((iou >= limit).mean() for limit in PRECISIONS)]
    return {"sentences": len(targets), **dict(zip(names, map(float, values), strict=True))}
