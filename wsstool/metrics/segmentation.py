"""Segmentation metrics from confusion matrices: IoU, accuracies, false positive and negative rates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from wsstool.metrics.confusion import ImageCounts

IgnoredPrediction = Literal["wrong", "background", "skip"]

DEFINITION = (
    "mIoU: one confusion matrix over all pixels of the dataset whose ground truth is not 255; mean over "
    "classes with {classes}; predictions of 255 are {ignored}"
)


@dataclass(frozen=True)
class SegmentationScores:
    """The scores of one dataset; fractions in [0, 1], NaN for classes that do not occur.

    Args:
        iou: (C,) float64, intersection over union of each class.
        accuracy: (C,) float64, recall of each class: correct / truth.
        false_positive: (C,) float64, ``1 - truth / union`` as printed in the WSSS literature.
        false_negative: (C,) float64, ``1 - predicted / union``.
        counted: (C,) bool, the classes that the means run over.
        pixels: (C,) int64, ground-truth pixels of each class.
        mean_iou, mean_accuracy, pixel_accuracy, frequency_weighted_iou: of the whole dataset.
        mean_false_positive, mean_false_negative: over the counted classes.
    """

    iou: np.ndarray
    accuracy: np.ndarray
    false_positive: np.ndarray
    false_negative: np.ndarray
    counted: np.ndarray
    pixels: np.ndarray
    mean_iou: float
    mean_accuracy: float
    pixel_accuracy: float
    frequency_weighted_iou: float
    mean_false_positive: float
    mean_false_negative: float

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers for ``json.dumps``; NaN becomes None."""
        return {
            "miou": number(self.mean_iou),
            "pixel_accuracy": number(self.pixel_accuracy),
            "mean_accuracy": number(self.mean_accuracy),
            "fwiou": number(self.frequency_weighted_iou),
            "false_positive": number(self.mean_false_positive),
            "false_negative": number(self.mean_false_negative),
            "iou": [number(v) for v in self.iou],
            "accuracy": [number(v) for v in self.accuracy],
            "pixels": [int(v) for v in self.pixels],
        }


@dataclass(frozen=True)
class PixelScores:
    """Scores that need no confusion matrix: ``iou`` (C,), its mean, and the share of correct pixels."""

    iou: np.ndarray
    mean_iou: float
    pixel_accuracy: float


def number(value: float) -> float | None:
    """Return a float that JSON can represent: NaN becomes None."""
    return None if math.isnan(value) else float(value)


def segmentation_scores(
    matrix: np.ndarray,
    *,
    background: int = -1,
    ignored_prediction: IgnoredPrediction = "wrong",
    classes_with_truth: bool = False,
    ignore_class: int | None = None,
) -> SegmentationScores:
    """Compute all scores of one confusion matrix.

    With rows g, columns p and m the counts: ``IoU_c = m[c,c] / (row_c + column_c - m[c,c])``. The mean
    runs over classes with ground truth or prediction.

    Args:
        matrix: (C, C + 1) int64, see :class:`~wsstool.metrics.confusion.ConfusionMatrix`.
        background: class id that takes ignored predictions with ``ignored_prediction="background"``.
        ignored_prediction: how to count a prediction of 255 on a counted pixel: ``wrong`` (no class was hit),
            ``background`` (as in IRN), or ``skip`` (the pixel is not counted: favours masks with holes).
        classes_with_truth: the means run over classes with ground truth only.
        ignore_class: ground-truth pixels of this class are not counted and it is left out of the means (the
            white background of tissue datasets); predicting it elsewhere is wrong.

    Returns:
        The scores; every mean over nothing is NaN.

    Raises:
        ValueError: ``background`` should take ignored predictions in a dataset without one, or a matrix of
            another shape.

    Source:
        Everingham et al., IJCV 2010 (VOC segmentation accuracy); Long et al., CVPR 2015 (accuracies,
        frequency weighting); Ahn et al., CVPR 2019 (false rates). Written from the papers.

    Example:
        >>> s = segmentation_scores(np.array([[3, 1, 0], [0, 4, 0]]))
        >>> s.iou.tolist(), s.pixel_accuracy
        ([0.75, 0.8], 0.875)
    """
    square = _square(np.asarray(matrix)[None], background, ignored_prediction, ignore_class)
    hit, truth, predicted = (part[0] for part in _parts(square))
    if ignored_prediction == "wrong":
        truth = truth + _ignored(matrix, ignore_class)
    union = truth + predicted - hit
    counted = (truth if classes_with_truth else union) > 0
    if ignore_class is not None:
        counted[ignore_class] = False
    with np.errstate(invalid="ignore", divide="ignore"):
        iou = np.where(counted, hit / union, np.nan)
        accuracy = np.where(truth > 0, hit / truth, np.nan)
        total = truth.sum()
        return SegmentationScores(
            iou=iou,
            accuracy=accuracy,
            false_positive=np.where(counted, 1 - truth / union, np.nan),
            false_negative=np.where(counted, 1 - predicted / union, np.nan),
            counted=counted,
            pixels=truth.astype(np.int64),
            mean_iou=_mean(iou),
            mean_accuracy=_mean(accuracy),
            pixel_accuracy=float(hit.sum() / total) if total else math.nan,
            frequency_weighted_iou=float(np.nansum(iou * truth) / total) if total else math.nan,
            mean_false_positive=_mean(np.where(counted, 1 - truth / union, np.nan)),
            mean_false_negative=_mean(np.where(counted, 1 - predicted / union, np.nan)),
        )


def scores_of_pixels(hit: np.ndarray, predicted: np.ndarray, truth: np.ndarray) -> PixelScores:
    """Compute mIoU and pixel accuracy from the pixels of each class.

    They are those of ``segmentation_scores`` with its default options.

    Args:
        hit: (C,) correct pixels.
        predicted: (C,) pixels predicted as the class, where there is ground truth.
        truth: (C,) ground-truth pixels, however they were predicted.

    Returns:
        The scores; NaN over nothing.

    Example:
        >>> scores_of_pixels(np.array([3, 4]), np.array([3, 5]), np.array([4, 4])).pixel_accuracy
        0.875
    """
    union = truth + predicted - hit
    with np.errstate(invalid="ignore", divide="ignore"):
        iou = np.where(union > 0, hit / union, np.nan)
        total = truth.sum()
        return PixelScores(iou, _mean(iou), float(hit.sum() / total) if total else math.nan)


def mean_ious(
    matrices: np.ndarray,
    *,
    background: int = -1,
    ignored_prediction: IgnoredPrediction = "wrong",
    classes_with_truth: bool = False,
    ignore_class: int | None = None,
) -> np.ndarray:
    """Compute the mIoU of many matrices at once: the resamples of a bootstrap, the thresholds of a sweep.

    Args:
        matrices: (R, C, C + 1).

    Returns:
        (R,) float64; NaN if no class counts. Options as in :func:`segmentation_scores`.
    """
    hit, truth, predicted = _parts(_square(matrices, background, ignored_prediction, ignore_class))
    if ignored_prediction == "wrong":
        truth = truth + np.stack([_ignored(m, ignore_class) for m in matrices]) if len(matrices) else truth
    union = truth + predicted - hit
    counted = (truth if classes_with_truth else union) > 0
    if ignore_class is not None:
        counted[:, ignore_class] = False
    with np.errstate(invalid="ignore", divide="ignore"):
        total = np.where(counted, hit / union, 0).sum(axis=1)
        return np.where(counted.any(axis=1), total / counted.sum(axis=1), np.nan)


def image_mean_ious(images: ImageCounts, n_classes: int, **options: Any) -> np.ndarray:
    """Compute the mIoU of every image. Its mean is *not* the mIoU of the dataset: call it per-image mIoU.

    Args:
        images: the matrices, see :meth:`~wsstool.metrics.confusion.ConfusionMatrix.images`.
        n_classes: number of classes.
        **options: as in :func:`segmentation_scores`.

    Returns:
        (N,) float64; NaN for an image without a counted pixel.
    """
    scores = np.full(images.n_images, np.nan)
    bounds = np.searchsorted(images.image, np.arange(images.n_images + 1))
    step = max(1, 2_000_000 // (n_classes * (n_classes + 1)))
    for first in range(0, images.n_images, step):
        last = min(first + step, images.n_images)
        rows = slice(bounds[first], bounds[last])
        dense = np.zeros((last - first, n_classes * (n_classes + 1)))
        dense[images.image[rows] - first, images.cell[rows]] = images.count[rows]
        scores[first:last] = mean_ious(dense.reshape(-1, n_classes, n_classes + 1), **options)
    return scores


def definition(
    *,
    classes_with_truth: bool = False,
    ignored_prediction: IgnoredPrediction = "wrong",
    ignore_class: str | None = None,
) -> str:
    """Return the sentence that defines the mIoU of a table."""
    text = DEFINITION.format(
        classes="truth" if classes_with_truth else "ground truth or prediction",
        ignored={"wrong": "wrong", "background": "background", "skip": "left out"}[ignored_prediction],
    )
    return text + (
        f"; ground-truth pixels of class {ignore_class} are left out" if ignore_class is not None else ""
    )


def _square(
    matrices: np.ndarray, background: int, ignored_prediction: str, ignore_class: int | None
) -> np.ndarray:
    """Return (R, C, C) without the column of ignored predictions, added to ``background`` if requested."""
    matrices = np.asarray(matrices)
    n_classes = matrices.shape[1]
    if matrices.shape[2] != n_classes + 1:
        raise ValueError(f"expected (classes, classes + 1) counts, not {matrices.shape[1:]}")
    square = matrices[:, :, :n_classes].astype(np.float64)
    if ignored_prediction == "background":
        if not 0 <= background < n_classes:
            raise ValueError(
                "predictions of 255 cannot count as background: this dataset has no background class"
            )
        square[:, :, background] += matrices[:, :, n_classes]
    if ignore_class is not None:
        square[:, ignore_class] = 0
    return square


def _parts(square: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return diagonal, row sums and column sums, each (R, C)."""
    return np.diagonal(square, axis1=1, axis2=2), square.sum(axis=2), square.sum(axis=1)


def _ignored(matrix: np.ndarray, ignore_class: int | None) -> np.ndarray:
    """Return the (C,) ground-truth pixels whose prediction is ignore."""
    column = np.asarray(matrix)[:, -1].astype(np.float64)
    if ignore_class is not None:
        column[ignore_class] = 0
    return column


def _mean(values: np.ndarray) -> float:
    kept = values[~np.isnan(values)]
    return float(kept.mean()) if kept.size else math.nan
