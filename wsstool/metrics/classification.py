"""Metrics of image-level labels (tags): average precision, exact match, Jaccard index of the tag sets."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ClassificationScores:
    """Average precision of each class (NaN without a positive image), and the means over the dataset."""

    average_precision: np.ndarray
    mean_average_precision: float
    exact_match: float
    jaccard: float


def average_precision(positive: np.ndarray, scores: np.ndarray) -> float:
    """Return the area under the precision-recall curve of one class, without interpolation.

    ``AP = sum_n (R_n - R_(n-1)) P_n`` over the distinct scores from high to low: images of equal score enter
    together, so their order does not matter.

    Args:
        positive: (N,) bool.
        scores: (N,), higher means more confident.

    Returns:
        AP in [0, 1], or NaN without a positive.

    Source:
        Su et al., CIKM 2015, and common practice. Written independently.

    Example:
        >>> average_precision(np.array([True, False, True]), np.array([0.9, 0.8, 0.7])).__round__(4)
        0.8333
    """
    positive = np.asarray(positive, bool)
    if not positive.any():
        return math.nan
    scores = np.asarray(scores, np.float64)
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(positive[order])
    ranked = scores[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    precision = hits[last] / (last + 1)
    recall = hits[last] / hits[-1]
    return float(np.sum(np.diff(recall, prepend=0) * precision))


def average_precisions(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Compute the average precision of each class: two (N, K) arrays -> (K,), NaN without a positive."""
    return np.array([average_precision(t, s) for t, s in zip(labels.T, scores.T, strict=True)], np.float64)


def exact_match(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Compute the share of images whose set of labels is right in every class.

    Args:
        labels, predicted: (N, K), 0 or 1.

    Returns:
        [0, 1], or NaN without an image.
    """
    right = (np.asarray(labels, bool) == np.asarray(predicted, bool)).all(axis=1)
    return float(right.mean()) if len(right) else math.nan


def mean_jaccard(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Compute the mean over images of |T and P| / |T or P|, T the set of labels and P the set predicted.

    Two empty sets count as 1: nothing was there and nothing was found.

    Args:
        labels, predicted: (N, K), 0 or 1.

    Returns:
        [0, 1], or NaN without an image.

    Example:
        >>> mean_jaccard(np.array([[1, 1], [0, 0]]), np.array([[1, 0], [0, 0]]))
        0.75
    """
    truth, found = np.asarray(labels, bool), np.asarray(predicted, bool)
    both, either = (truth & found).sum(axis=1), (truth | found).sum(axis=1)
    overlap = np.where(either > 0, both / np.maximum(either, 1), 1.0)
    return float(overlap.mean()) if len(overlap) else math.nan


def classification_scores(
    labels: np.ndarray, scores: np.ndarray, *, threshold: float = 0.5
) -> ClassificationScores:
    """Compare image-level scores with ground-truth tags.

    Args:
        labels: (N, K) bool or uint8, the ground-truth tags, background left out.
        scores: (N, K) float, in the unit of ``threshold``.
        threshold: a tag is predicted if its score is at least this.

    Returns:
        AP of each class and its mean over classes with a positive image; the fraction of images whose tag set
        is exactly right; the mean Jaccard index of the tag sets (1 if both are empty).

    Raises:
        ValueError: the shapes differ.
    """
    labels, scores = np.asarray(labels, bool), np.asarray(scores)
    if labels.shape != scores.shape or labels.ndim != 2:
        raise ValueError(f"labels have shape {labels.shape}, but scores have shape {scores.shape}")
    precision = average_precisions(labels, scores)
    known = ~np.isnan(precision)
    predicted = scores >= threshold
    return ClassificationScores(
        precision,
        float(precision[known].mean()) if known.any() else math.nan,
        exact_match(labels, predicted),
        mean_jaccard(labels, predicted),
    )
