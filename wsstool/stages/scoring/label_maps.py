"""Score predictions against the truth: one pass over the images, one row of scores a layer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wsstool.errors import BadInputError, UsageError
from wsstool.metrics.bootstrap import bootstrap_interval
from wsstool.metrics.boundary import BoundaryCounts
from wsstool.metrics.classification import classification_scores
from wsstool.metrics.confusion import ConfusionMatrix
from wsstool.metrics.constant_baseline import blind_baseline
from wsstool.metrics.segmentation import IgnoredPrediction, image_mean_ious, segmentation_scores
from wsstool.metrics.sweep import ThresholdSweep
from wsstool.stages.scoring.ground_truth import Truth
from wsstool.stages.scoring.predictions import Layer, Predictions
from wsstool.types import IGNORE, SILENT, ClassList, Messages, tracked


@dataclass(frozen=True)
class Rules:
    """How counts become scores; the same for every number of a run."""

    classes_with_truth: bool = False
    ignored_prediction: IgnoredPrediction = "wrong"
    ignore_class: int | None = None
    background: int = -1

    def options(self) -> dict[str, Any]:
        """Keyword arguments of the functions in ``wsstool.metrics``."""
        return {
            "classes_with_truth": self.classes_with_truth,
            "ignored_prediction": self.ignored_prediction,
            "ignore_class": self.ignore_class,
        }


@dataclass
class Row:
    """The counts of one layer of one source."""

    name: str
    confusion: ConfusionMatrix
    boundary: BoundaryCounts | None = None
    sweep: ThresholdSweep | None = None


@dataclass
class Evaluation:
    """The counts of one source (or of several score files, merged).

    Args:
        name: of the source.
        kind: ``mask``, ``cam``, ``folder`` or ``scores``.
        classes: the class list.
        images: names of the images that were scored.
        tags: (N, C) bool, their image-level labels; ``tags_from`` says whence: ``file`` or ``truth``.
        rows: one a layer.
        without_truth: images that were left out because they have no true mask.
        failed: images that the stage before could not do: every pixel counts as a prediction of 255.
        image_scores: (N, C) image-level scores, NaN where unknown, or None.
        provenance: commands that made the source.
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
    provenance: tuple[str, ...] = field(default=())


def evaluate(
    predictions: Predictions,
    truth: Truth,
    *,
    chosen: set[int] | None = None,
    boundary: bool = False,
    sweep: bool = False,
    messages: Messages = SILENT,
) -> Evaluation:
    """Count every image once.

    Args:
        predictions: the source.
        truth: its true masks.
        chosen: indices to score; None: all.
        boundary: also count boundaries.
        sweep: also count for every background threshold.
        messages: where progress goes.

    Raises:
        BadInputError: a mask of another size or with unknown values, named.
        UsageError: a sweep of something that has no scores, or of a set without background.
    """
    classes = predictions.classes
    rows = [
        Row(
            name,
            ConfusionMatrix(len(classes), keep_images=True),
            BoundaryCounts(len(classes)) if boundary else None,
            _sweep(predictions) if sweep else None,
        )
        for name in predictions.layers
    ]
    found = Evaluation(predictions.name, predictions.kind, classes, [], np.zeros((0, 0), bool), "truth", rows)
    kept = []
    for one in tracked(predictions, messages, len(predictions.names), "images"):
        if chosen is not None and one.index not in chosen:
            continue
        mask = truth.read(one.index, one.size)
        if mask is None:
            found.without_truth += 1
            continue
        found.failed += not one.layers
        layers = one.layers or (_failed(mask.shape),) * len(rows)
        for row, layer in zip(rows, layers, strict=True):
            _count(row, layer, mask, one.name)
        found.images.append(one.name)
        kept.append(one.index)
    if predictions.labels is not None:
        found.tags, found.tags_from = predictions.labels[kept].astype(bool), "file"
    else:
        found.tags = truth_pixels(rows[0].confusion) > 0
    if predictions.scores is not None:
        found.image_scores = predictions.scores[kept]
    found.provenance = predictions.provenance
    return found


def _failed(shape: tuple[int, ...]) -> Layer:
    """What an earlier failure predicts: nothing, at any threshold."""
    return Layer(np.full(shape, IGNORE, np.uint8), np.full(shape, -1, np.float32), np.zeros(shape, np.uint8))


def _sweep(predictions: Predictions) -> ThresholdSweep:
    if predictions.kind != "cam":
        raise UsageError(f"--sweep needs score maps; '{predictions.name}' holds label maps")
    try:
        return ThresholdSweep(len(predictions.classes), predictions.classes.background)
    except ValueError as error:
        raise UsageError(f"--sweep: {error}") from error


def _count(row: Row, layer: Layer, mask: np.ndarray, name: str) -> None:
    try:
        row.confusion.update(layer.labels, mask)
        if row.boundary is not None:
            row.boundary.update(layer.labels, mask)
        if row.sweep is not None:
            if layer.score is None or layer.foreground is None:
                raise UsageError(
                    "--sweep needs maps of foreground classes and a background to tell them from"
                )
            row.sweep.update(layer.score, layer.foreground, mask)
    except ValueError as error:
        raise BadInputError(f"'{name}': {error}") from error


def truth_pixels(confusion: ConfusionMatrix) -> np.ndarray:
    """(N, C) int64: truth pixels of each class in each image."""
    images, n = confusion.images(), confusion.n_classes
    key = images.image * n + images.cell // (n + 1)
    counts = np.bincount(key, weights=images.count, minlength=images.n_images * n)
    return counts.astype(np.int64).reshape(-1, n)


def predicted_pixels(confusion: ConfusionMatrix) -> np.ndarray:
    """(N, C) int64: predicted pixels of each class in each image, predictions of 255 left out."""
    images, n = confusion.images(), confusion.n_classes
    key = images.image * (n + 1) + images.cell % (n + 1)
    counts = np.bincount(key, weights=images.count, minlength=images.n_images * (n + 1))
    return counts.astype(np.int64).reshape(-1, n + 1)[:, :n]


def row_scores(
    found: Evaluation,
    row: Row,
    rules: Rules,
    *,
    bootstrap: int = 1000,
    groups: list[str] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Everything that is said about one row, as plain values with None for what does not exist."""
    options, names, n = rules.options(), found.classes.names, len(found.classes)
    confusion, images = row.confusion, row.confusion.images()
    try:
        scores = segmentation_scores(confusion.matrix, background=rules.background, **options).to_json()
    except ValueError as error:
        raise UsageError(str(error)) from error
    by_class = {key: dict(zip(names, scores.pop(key), strict=True)) for key in ("iou", "accuracy", "pixels")}
    single = image_mean_ious(images, n, background=rules.background, **options)
    blind = blind_baseline(truth_pixels(confusion), found.tags, background=rules.background, **options)
    said: dict[str, Any] = {
        "name": row.name,
        **scores,
        "image_miou": float(np.nanmean(single)) if (~np.isnan(single)).any() else None,
        "blind": {
            "miou": blind.mean_iou,
            "rule": blind.rule,
            "by_rule": blind.by_rule,
            "tags": found.tags_from,
        },
    }
    if bootstrap:
        interval = bootstrap_interval(
            images, n, groups=groups, samples=bootstrap, seed=seed, background=rules.background, **options
        )
        said["interval"] = vars(interval)
    if row.boundary is not None:
        result = row.boundary.result()
        said["boundary_iou"] = result.mean_iou
        by_class["boundary_iou"] = dict(zip(names, result.iou.tolist(), strict=True))
    if row.sweep is not None:
        swept = row.sweep.result(**options)
        said["sweep"] = {
            "label": swept.label,
            "threshold": swept.best_threshold,
            "miou": swept.best_mean_iou,
            "curve": [[float(t), float(m)] for t, m in zip(swept.thresholds, swept.mean_iou, strict=True)],
        }
    said["tags"] = _tag_scores(found, row)
    return {**said, "classes": by_class}


def _tag_scores(found: Evaluation, row: Row) -> dict[str, Any]:
    """Image-level scores: of the classes that a mask shows, or of a CAM file that scores them all."""
    foreground = list(found.classes.foreground)
    tags = found.tags[:, foreground]
    if found.image_scores is not None:
        scores = found.image_scores[:, foreground]
        if np.isnan(scores).any():
            return {}  # maps were made for the true tags only: nothing was recognised
        said = classification_scores(tags, scores)
        return {"map": said.mean_average_precision, "exact_match": said.exact_match, "jaccard": said.jaccard}
    said = classification_scores(tags, predicted_pixels(row.confusion)[:, foreground] > 0)
    return {"exact_match": said.exact_match, "jaccard": said.jaccard}
