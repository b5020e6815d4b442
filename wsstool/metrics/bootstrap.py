"""Bootstrap intervals for the scores of a dataset: resample its images (or patients) with replacement."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wsstool.metrics.confusion import ImageCounts
from wsstool.metrics.segmentation import mean_ious


@dataclass(frozen=True)
class Interval:
    """A percentile interval; ``units`` is the number of images or groups resampled."""

    low: float
    high: float
    level: float
    samples: int
    units: int


def bootstrap_interval(
    images: ImageCounts,
    n_classes: int,
    *,
    groups: Sequence[object] | None = None,
    samples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    **options: Any,
) -> Interval:
    """Return a percentile bootstrap interval of the mIoU over images, or over groups of images.

    Errors on images of one patient (or tiles of one image) are correlated: resampling them one by one makes
    the interval too narrow. With ``groups`` whole groups are resampled.

    Args:
        images: matrices of the N images.
        n_classes: number of classes.
        groups: one value per image; images of equal value form a group.
        samples: number of resamples, at least 1.
        level: coverage, (0, 1).
        seed: of the generator; the same seed gives the same interval.
        **options: as in :func:`~wsstool.metrics.segmentation.segmentation_scores`.

    Returns:
        The interval; NaN bounds for an empty dataset.

    Raises:
        ValueError: the number of groups differs from the number of images.

    Notes:
        Matrices are resampled, not pixels: each resample is one weighted count of the non-empty cells.

    Source:
        Efron, Annals of Statistics 1979, percentile interval. Written from the paper.
    """
    scores, units = _resampled(images, n_classes, groups, samples, seed, options)
    return _percentiles(scores, level, samples, units)


def difference_interval(
    images: ImageCounts,
    others: ImageCounts,
    n_classes: int,
    *,
    groups: Sequence[object] | None = None,
    samples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    **options: Any,
) -> Interval:
    """Return a paired percentile bootstrap interval for the mIoU difference on the *same* images.

    Because the errors of the two methods correlate, the interval of the difference is narrower than the two
    separate intervals suggest.

    Args:
        images, others: matrices of the same N images in the same order.
        n_classes, groups, samples, level, seed, **options: as in :func:`bootstrap_interval`.

    Raises:
        ValueError: different numbers of images.

    Source:
        Efron and Tibshirani, "An introduction to the bootstrap", 1993, paired samples. Written from the book.
    """
    if images.n_images != others.n_images:
        raise ValueError(f"cannot compare {images.n_images} images with {others.n_images}")
    scores, units = _resampled(images, n_classes, groups, samples, seed, options)
    reference, _ = _resampled(others, n_classes, groups, samples, seed, options)  # the same resamples
    return _percentiles(scores - reference, level, samples, units)


def mean_interval(
    values: np.ndarray,
    image: np.ndarray,
    *,
    groups: Sequence[object] | None = None,
    samples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap of the mean of values of objects; images (or groups of images) are drawn whole.

    Args:
        values: (R,) one per object, at least one.
        image: (R,) int, the number of the image of each object.
        groups: one value per image number; equal values belong together.
        samples, level, seed: as in :func:`bootstrap_interval`.

    Notes:
        Images without an object are not drawn: they would change no mean.
    """
    values = np.asarray(values)
    ones = np.ones(len(values))
    return ratio_interval(values, ones, image, groups=groups, samples=samples, level=level, seed=seed)


def ratio_interval(
    numerators: np.ndarray,
    denominators: np.ndarray,
    image: np.ndarray,
    *,
    groups: Sequence[object] | None = None,
    samples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap of a ratio of two sums over objects; images (or groups) are drawn whole.

    Args:
        numerators, denominators: (R,) one per object, at least one; resamples whose denominators are all 0
            are left out.
        image, groups, samples, level, seed: as in :func:`mean_interval`.
    """
    ratios, n = _ratios(numerators, denominators, image, groups, samples, seed)
    return _percentiles(ratios, level, samples, n)


def ratio_difference_interval(
    numerators: tuple[np.ndarray, np.ndarray],
    denominators: tuple[np.ndarray, np.ndarray],
    image: np.ndarray,
    *,
    groups: Sequence[object] | None = None,
    samples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Paired percentile bootstrap of the difference of two such ratios on the *same* objects.

    Args:
        numerators, denominators: of the one method and of the other, (R,) each, see :func:`ratio_interval`.
        image, groups, samples, level, seed: as in :func:`mean_interval`.

    Source:
        As :func:`difference_interval`.
    """
    (first, n), (second, _) = (
        _ratios(above, below, image, groups, samples, seed)  # the same resamples
        for above, below in zip(numerators, denominators, strict=True)
    )
    return _percentiles(first - second, level, samples, n)


def _ratios(
    numerators: np.ndarray,
    denominators: np.ndarray,
    image: np.ndarray,
    groups: Sequence[object] | None,
    samples: int,
    seed: int,
) -> tuple[np.ndarray, int]:
    """Return the ratio of the sums of each resample, NaN where it has none, and the number of units."""
    units = image if groups is None else np.unique([str(g) for g in groups], return_inverse=True)[1][image]
    _, unit = np.unique(units, return_inverse=True)
    n = int(unit.max()) + 1
    above, below = (np.bincount(unit, one, minlength=n) for one in (numerators, denominators))
    with np.errstate(invalid="ignore"):
        return np.concatenate([(drawn @ above) / (drawn @ below) for drawn in _draws(n, samples, seed)]), n


def _percentiles(scores: np.ndarray, level: float, samples: int, units: int) -> Interval:
    if np.isnan(scores).all():
        return Interval(math.nan, math.nan, level, samples, units)
    tail = (1 - level) / 2
    low, high = np.nanquantile(scores, [tail, 1 - tail])
    return Interval(float(low), float(high), level, samples, units)


def _resampled(
    images: ImageCounts,
    n_classes: int,
    groups: Sequence[object] | None,
    samples: int,
    seed: int,
    options: dict[str, Any],
) -> tuple[np.ndarray, int]:
    """Return the mIoU of each resample, NaN for an empty dataset, and the number of units resampled."""
    unit = np.arange(images.n_images)
    if groups is not None:
        if len(groups) != images.n_images:
            raise ValueError(f"{len(groups)} group names for {images.n_images} images")
        number = {g: i for i, g in enumerate(dict.fromkeys(groups))}
        unit = np.array([number[g] for g in groups], np.int64)
    units = int(unit.max()) + 1 if unit.size else 0
    if not units or not images.count.size:
        return np.full(samples, math.nan), units
    cells = n_classes * (n_classes + 1)
    members, cell, count = _by_unit(unit[images.image], images, cells)
    found = []
    for drawn in _draws(units, samples, seed):
        matrices = np.stack([np.bincount(cell, weights=w[members] * count, minlength=cells) for w in drawn])
        found.append(mean_ious(matrices.reshape(-1, n_classes, n_classes + 1), **options))
    return np.concatenate(found), units


def _draws(units: int, samples: int, seed: int) -> Iterator[np.ndarray]:
    """Yield blocks of resamples, (at most 64, units): how often each unit was drawn."""
    rng = np.random.default_rng(seed)
    for first in range(0, samples, 64):
        yield rng.multinomial(units, np.full(units, 1 / units), size=min(64, samples - first))


def _by_unit(unit: np.ndarray, images: ImageCounts, cells: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the non-empty cells of every unit; equal cells of its images are summed first."""
    keys, inverse = np.unique(unit * cells + images.cell, return_inverse=True)
    count = np.bincount(inverse, weights=images.count)
    return keys // cells, keys % cells, count
