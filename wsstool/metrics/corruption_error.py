"""Robustness under corruption: mCE relative to AlexNet, means over categories, retention."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

ALEXNET: dict[str, float] = {
    "gaussian-noise": 0.886428,
    "shot-noise": 0.894468,
    "impulse-noise": 0.922640,
    "defocus-blur": 0.819880,
    "glass-blur": 0.826268,
    "motion-blur": 0.785948,
    "zoom-blur": 0.798360,
    "snow": 0.866816,
    "frost": 0.826572,
    "fog": 0.819324,
    "brightness": 0.564592,
    "contrast": 0.853204,
    "elastic-transform": 0.646056,
    "pixelate": 0.717840,
    "jpeg-compression": 0.606500,
}
"""The fifteen corruptions of mCE -> the top-1 error of AlexNet, mean over the five severities."""

N_SEVERITIES = 5


def corruption_errors(accuracy: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Divide the error under each corruption by that of AlexNet: CE = mean over severities of (1 - top1) / E.

    Args:
        accuracy: corruption -> top-1 accuracy at each severity, [0, 1].
    Returns:
        Corruption -> CE; 1 is as good as AlexNet, lower is better. Only corruptions with a reference that
        were measured at all five severities, in the order of ``ALEXNET``.

    Source:
        Hendrycks and Dietterich, ICLR 2019. Written from the paper and its table.

    Example:
        >>> corruption_errors({"fog": [0.9, 0.8, 0.7, 0.6, 0.5], "saturate": [0.9] * 5})["fog"].__round__(4)
        0.3662
    """
    return {
        name: (1 - fmean(accuracy[name])) / error
        for name, error in ALEXNET.items()
        if name in accuracy and len(accuracy[name]) == N_SEVERITIES
    }


def mean_corruption_error(accuracy: Mapping[str, Sequence[float]]) -> float:
    """Average CE over the fifteen corruptions (mCE).

    Args:
        accuracy: corruption -> top-1 accuracy at each of the five severities, [0, 1]; others than the
            fifteen are ignored.
    Returns:
        mCE as a fraction (papers state percent), or NaN if one of the fifteen is missing or incomplete.

    Source:
        Hendrycks and Dietterich, ICLR 2019. Written from the paper and its table.

    Example:
        >>> mean_corruption_error({name: [1 - error] * 5 for name, error in ALEXNET.items()}).__round__(12)
        1.0
    """
    errors = corruption_errors(accuracy)
    return fmean(errors.values()) if len(errors) == len(ALEXNET) else math.nan


def category_means(
    scores: Mapping[str, Sequence[float]], categories: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    """Average a score over severities, then over the corruptions of each category.

    Args:
        scores: corruption -> score at each severity, higher is better: accuracy or mIoU.
        categories: category -> its corruptions; those without scores are left out.
    Returns:
        Category -> mean; categories without scores are left out. The mean of these means is the robust score
        reported for transformers, in which all categories count equally.

    Example:
        >>> category_means({"fog": [0.6, 0.4], "snow": [0.3]}, {"weather": ["snow", "fog"], "blur": ["zoom"]})
        {'weather': 0.4}
    """
    measured = {
        category: [fmean(scores[name]) for name in names if scores.get(name)]
        for category, names in categories.items()
    }
    return {category: fmean(means) for category, means in measured.items() if means}


def retention(robust: float, clean: float) -> float:
    """Return the fraction of the clean score retained under corruption; NaN if the clean score is 0.

    Source:
        Zhou et al., ICML 2022. Written from the paper.

    Example:
        >>> round(retention(0.582, 0.799), 3)
        0.728
    """
    return robust / clean if clean else math.nan
