"""Counts of label maps to scores: those of one row, and the paired difference of two methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from wsstool.errors import BadInputError, UsageError
from wsstool.metrics.bootstrap import bootstrap_interval, difference_interval
from wsstool.metrics.classification import classification_scores
from wsstool.metrics.confusion import ConfusionMatrix, ImageCounts
from wsstool.metrics.constant_baseline import blind_baseline
from wsstool.metrics.segmentation import IgnoredPrediction, image_mean_ious, segmentation_scores
from wsstool.metrics.sweep import ThresholdSweep
from wsstool.stages.checks import class_id
from wsstool.stages.options.scoring import LabelMapScores
from wsstool.stages.scoring.label_map_counts import LabelMapCounts, Row, predicted_pixels, truth_pixels
from wsstool.stages.scoring.scorer import check_same_images
from wsstool.types import ClassList


class Resampling(NamedTuple):
    """Arguments of the bootstrap: the group of each image, the number of resamples (0: none), the seed."""

    groups: Sequence[str] | None
    samples: int
    seed: int


@dataclass(frozen=True)
class Rules:
    """How counts become scores; the same for every number of a run."""

    classes_with_truth: bool = False
    ignored_prediction: IgnoredPrediction = "wrong"
    ignore_class: int | None = None
    background: int = -1

    @classmethod
    def of(cls, options: LabelMapScores, classes: ClassList) -> Rules:
        """Return the rules that options give for a class list.

        Raises:
            UsageError: there is no class to ignore of that name.
        """
        return cls(
            options.classes_with_truth,
            options.ignored_prediction,
            class_id(options.ignore_class, classes),
            classes.background,
        )

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of the functions in ``wsstool.metrics``."""
        return {
            "classes_with_truth": self.classes_with_truth,
            "ignored_prediction": self.ignored_prediction,
            "ignore_class": self.ignore_class,
        }


def row_scores(counts: LabelMapCounts, row: Row, rules: Rules, resampling: Resampling) -> dict[str, Any]:
    """Return all scores of one row as plain values, None where undefined.

    Raises:
        UsageError: rules that do not fit, such as predictions that count as background without one.
    """
    options, names, n = rules.arguments(), counts.classes.names, len(counts.classes)
    confusion, images = row.confusion, row.confusion.images()
    try:
        scores = segmentation_scores(confusion.matrix, background=rules.background, **options).to_json()
    except ValueError as error:
        raise UsageError(str(error)) from error
    by_class = {key: dict(zip(names, scores.pop(key), strict=True)) for key in ("iou", "accuracy", "pixels")}
    single = image_mean_ious(images, n, background=rules.background, **options)
    blind = blind_baseline(truth_pixels(confusion), counts.tags, background=rules.background, **options)
    said: dict[str, Any] = {
        "name": row.name,
        **scores,
        "image_miou": float(np.nanmean(single)) if (~np.isnan(single)).any() else None,
        "blind": {
            "miou": blind.mean_iou,
            "rule": blind.rule,
            "by_rule": blind.by_rule,
            "tags": counts.tags_from,
        },
    }
    said["several_labels"] = _several_labels(counts, row, rules)
    if resampling.samples:
        said["interval"] = vars(
            bootstrap_interval(images, n, **resampling._asdict(), background=rules.background, **options)
        )
    if row.boundary is not None:
        result = row.boundary.result()
        said["boundary_iou"] = result.mean_iou
        by_class["boundary_iou"] = dict(zip(names, result.iou.tolist(), strict=True))
    if row.sweep is not None:
        said["sweep"] = _swept(row.sweep, options)
    said["tags"] = _tag_scores(counts, row)
    return {**said, "classes": by_class}


def _several_labels(counts: LabelMapCounts, row: Row, rules: Rules) -> dict[str, Any]:
    """Return the mIoU over the images with two or more image-level labels, with its blind baseline.

    In an image with one label only the background can be confused with it, and without a background nothing.
    """
    chosen = counts.tags[:, list(counts.classes.foreground)].sum(1) > 1
    if not chosen.any():
        return {"images": 0, "miou": None, "blind": None}
    images, n = row.confusion.images(), len(counts.classes)
    kept = chosen[images.image]
    cells = np.bincount(images.cell[kept], images.count[kept], n * (n + 1)).astype(np.int64)
    options = rules.arguments()
    scores = segmentation_scores(cells.reshape(n, n + 1), background=rules.background, **options)
    pixels = truth_pixels(row.confusion)[chosen]
    blind = blind_baseline(pixels, counts.tags[chosen], background=rules.background, **options)
    return {"images": int(chosen.sum()), "miou": scores.mean_iou, "blind": blind.mean_iou}


def _swept(sweep: ThresholdSweep, options: dict[str, Any]) -> dict[str, Any]:
    swept = sweep.result(**options)
    return {
        "label": swept.label,
        "threshold": swept.best_threshold,
        "miou": swept.best_mean_iou,
        "curve": [[float(t), float(m)] for t, m in zip(swept.thresholds, swept.mean_iou, strict=True)],
    }


def _tag_scores(counts: LabelMapCounts, row: Row) -> dict[str, Any]:
    """Image-level scores: of the classes that a mask shows, or of a CAM file that scores them all."""
    foreground = list(counts.classes.foreground)
    tags = counts.tags[:, foreground]
    if counts.image_scores is not None:
        scores = counts.image_scores[:, foreground]
        if np.isnan(scores).any():
            return {}  # maps were made for the true tags only: nothing was recognised
        said = classification_scores(tags, scores)
        return {"map": said.mean_average_precision, "exact_match": said.exact_match, "jaccard": said.jaccard}
    said = classification_scores(tags, predicted_pixels(row.confusion)[:, foreground] > 0)
    return {"exact_match": said.exact_match, "jaccard": said.jaccard}


def differences(
    counts: LabelMapCounts, against: LabelMapCounts, rules: Rules, resampling: Resampling
) -> list[dict[str, Any]]:
    """Return for each row its mIoU minus that of the same row (or the only one) of another method.

    Args:
        counts: of one method.
        against: of another method on the same images, in any order.
        rules: of both scores.
        resampling: of the interval; images (or groups) are drawn for both methods at once.

    Returns:
        ``{"source", "name", "miou", "interval"}`` each; no interval without resamples.

    Raises:
        BadInputError: other classes, images or rows.
    """
    if against.classes.names != counts.classes.names:
        raise BadInputError(f"'{against.name}' and '{counts.name}' score different classes")
    check_same_images((against.name, counts.name), counts.images, against.images)
    if len(against.rows) not in (1, len(counts.rows)):
        raise BadInputError(
            f"'{against.name}' has {len(against.rows)} rows, but '{counts.name}' has {len(counts.rows)}"
        )
    place = {name: i for i, name in enumerate(counts.images)}
    order = np.array([place[name] for name in against.images])
    references = against.rows if len(against.rows) > 1 else against.rows * len(counts.rows)
    options, n = rules.arguments(), len(counts.classes)
    rows = []
    for row, reference in zip(counts.rows, references, strict=True):
        said: dict[str, Any] = {
            "source": against.name,
            "name": reference.name,
            "miou": _mean_iou(row.confusion, options) - _mean_iou(reference.confusion, options),
        }
        if resampling.samples:
            theirs = reference.confusion.images()
            moved = ImageCounts(theirs.n_images, order[theirs.image], theirs.cell, theirs.count)
            options_of_both = {**resampling._asdict(), "background": rules.background, **options}
            said["interval"] = vars(difference_interval(row.confusion.images(), moved, n, **options_of_both))
        rows.append(said)
    return rows


def _mean_iou(confusion: ConfusionMatrix, options: dict[str, Any]) -> float:
    return segmentation_scores(confusion.matrix, **options).mean_iou
