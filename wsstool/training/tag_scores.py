"""Metrics of predicted tags: average precision, exact match, Jaccard index of the tag sets."""

from __future__ import annotations

import numpy as np


def average_precisions(tags: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the area under the precision-recall steps per class; images of equal score enter together.

    Args:
        tags: (N,K) 0 or 1.
        scores: (N,K) float, higher means more confident.

    Returns:
        (K,) float64 in [0, 1]; NaN for a class without a positive image.

    Source:
        Common practice: AP = sum over recall steps of (R_n - R_(n-1)) P_n.

    Example:
        >>> average_precisions(np.array([[1], [0], [1]]), np.array([[0.9], [0.8], [0.7]])).round(3)
        array([0.833])
    """
    found = np.full(tags.shape[1], np.nan)
    for k, (truth, score) in enumerate(zip(tags.T.astype(bool), scores.T, strict=True)):
        if not truth.any():
            continue
        order = np.argsort(-score, kind="stable")
        hits = np.cumsum(truth[order])
        last = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))  # end of each group of ties
        recall = hits[last] / hits[-1]
        precision = hits[last] / (last + 1)
        found[k] = float(np.sum(np.diff(recall, prepend=0.0) * precision))
    return found


def exact_match(tags: np.ndarray, predicted: np.ndarray) -> float:
    """Return the share of images whose tag set is entirely correct: two (N,K) arrays -> [0, 1]."""
    return float((tags.astype(bool) == predicted.astype(bool)).all(1).mean()) if len(tags) else float("nan")


def mean_jaccard(tags: np.ndarray, predicted: np.ndarray) -> float:
    """Return the mean over images of |T and P| / |T or P| of true and predicted tag sets: [0, 1].

    Two empty sets count as 1.

    Args:
        tags, predicted: (N,K) 0 or 1.

    Example:
        >>> mean_jaccard(np.array([[1, 1], [0, 0]]), np.array([[1, 0], [0, 0]]))
        0.75
    """
    truth, found = tags.astype(bool), predicted.astype(bool)
    both, either = (truth & found).sum(1), (truth | found).sum(1)
    return (
        float(np.where(either == 0, 1.0, both / np.maximum(either, 1)).mean()) if len(tags) else float("nan")
    )
