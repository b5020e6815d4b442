"""Score label maps, and class maps made into label maps: one row of scores per layer."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.metrics.boundary import BoundaryCounts
from wsstool.metrics.confusion import ConfusionMatrix
from wsstool.metrics.instances import PUBLISHED
from wsstool.metrics.segmentation import definition
from wsstool.metrics.sweep import ThresholdSweep
from wsstool.stages.options.metrics import spelled
from wsstool.stages.options.scoring import EvalOptions, LabelMapScores
from wsstool.stages.scoring.ground_truth import Truth, chosen_images, find_truth
from wsstool.stages.scoring.label_map_counts import LabelMapCounts, Row, truth_pixels
from wsstool.stages.scoring.label_map_scores import Resampling, Rules, differences, row_scores
from wsstool.stages.scoring.predictions import Layer, Predictions, folder_classes, open_predictions
from wsstool.stages.scoring.scorer import Scorer, Source, Table
from wsstool.types import IGNORE, SILENT, ClassList, Messages, tracked


def measure(source: Source, options: EvalOptions, messages: Messages) -> LabelMapCounts:
    """Count the pixels of every image that has ground truth.

    Raises:
        MissingInputError: there is no ground truth.
        BadInputError: masks of another size or with unknown values, damaged input.
        UsageError: a sweep of something that has no scores, or of a set without background; a width of
            boundaries that are not compared.
    """
    if options.boundary_ratio != PUBLISHED.ratio and not options.boundary:
        raise UsageError("--boundary-ratio needs --boundary")
    with open_predictions(
        source.path,
        reader=source.reader,
        classes=folder_classes(source.path, options.truth, options.class_list),
        normalise=options.normalise,
        background_threshold=options.background_threshold,
        background=options.background,
        messages=messages,
    ) as predictions:
        truth = find_truth(
            predictions.names,
            predictions.root,
            predictions.classes,
            options.truth,
            source.path,
            class_list=options.class_list,
            messages=messages,
        )
        root = Path(predictions.root) if predictions.kind != "folder" else options.truth
        counts = count_images(
            predictions,
            truth,
            chosen=set(chosen_images(predictions.names, options.split, root)),
            boundary=options.boundary,
            boundary_ratio=options.boundary_ratio,
            sweep=options.sweep,
            messages=messages,
        )
    if not counts.images:
        raise MissingInputError(f"none of the selected images of '{counts.name}' has a ground-truth mask")
    counts.root = root
    truth.warn_of_absent(truth_pixels(counts.rows[0].confusion).sum(axis=0), messages)
    return counts


def count_images(
    predictions: Predictions,
    truth: Truth,
    *,
    chosen: Container[int] | None = None,
    boundary: bool = False,
    boundary_ratio: float = 0.02,
    sweep: bool = False,
    messages: Messages = SILENT,
) -> LabelMapCounts:
    """Count every image once.

    Args:
        predictions: the source.
        truth: its ground-truth masks.
        chosen: indices to score; None: all.
        boundary: also count boundaries.
        boundary_ratio: their width, as a fraction of the image diagonal.
        sweep: also count for every background threshold.
        messages: where progress goes.

    Raises:
        BadInputError: a mask of another size or with unknown values, named.
        UsageError: a sweep of something that has no scores, or of a set without background.
    """
    classes = truth.classes
    rows = [
        Row(
            name,
            ConfusionMatrix(len(classes), keep_images=True),
            BoundaryCounts(len(classes), ratio=boundary_ratio) if boundary else None,
            _sweep(predictions, classes) if sweep else None,
        )
        for name in predictions.layers
    ]
    found = LabelMapCounts(
        predictions.name, predictions.kind, classes, [], np.zeros((0, 0), bool), "truth", rows
    )
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
        found.tags, found.tags_from = _of_all(predictions.labels[kept].astype(bool), classes, False), "file"
    else:
        found.tags = truth_pixels(rows[0].confusion) > 0
    if predictions.scores is not None:
        found.image_scores = _of_all(predictions.scores[kept], classes, np.nan)
    return found


def _failed(shape: tuple[int, ...]) -> Layer:
    """Prediction of a failed image: nothing, at any threshold."""
    return Layer(np.full(shape, IGNORE, np.uint8), np.full(shape, -1, np.float32), np.zeros(shape, np.uint8))


def _of_all(table: np.ndarray, classes: ClassList, missing: object) -> np.ndarray:
    """Append columns to (N, K) values, for the classes that only the ground truth has."""
    more = np.full((len(table), len(classes) - table.shape[1]), missing, table.dtype)
    return np.concatenate([table, more], axis=1)


def _sweep(predictions: Predictions, classes: ClassList) -> ThresholdSweep:
    if predictions.kind != "cam":
        raise UsageError(f"--sweep needs class maps, but '{predictions.name}' contains label maps")
    try:
        return ThresholdSweep(len(classes), predictions.classes.background)
    except ValueError as error:
        raise UsageError(f"--sweep: {error}") from error


def _count(row: Row, layer: Layer, mask: np.ndarray, name: str) -> None:
    try:
        row.confusion.update(layer.labels, mask)
        if row.boundary is not None:
            row.boundary.update(layer.labels, mask)
        if row.sweep is not None:
            if layer.score is None or layer.foreground is None:
                raise UsageError("--sweep needs maps of foreground classes and a background class")
            row.sweep.update(layer.score, layer.foreground, mask)
    except ValueError as error:
        raise BadInputError(f"'{name}': {error}") from error


def summarise(
    counts: LabelMapCounts,
    options: LabelMapScores,
    *,
    groups: Mapping[str, str] | None = None,
    against: LabelMapCounts | None = None,
) -> dict[str, Any]:
    """Return the scores of all rows and what they mean, as plain values.

    Args:
        counts: measured here or joined from score files.
        options: how counts become scores, and the resampling.
        groups: image -> group of images that are drawn together.
        against: counts of another method on the same images: each row also has the paired difference
            with its interval.

    Raises:
        BadInputError: ``against`` has other images, classes or rows.
        UsageError: no such class to ignore.
    """
    rules, names = Rules.of(options, counts.classes), counts.classes.names
    ignored = names[rules.ignore_class] if rules.ignore_class is not None else None
    drawn = None if groups is None else [groups[name] for name in counts.images]
    resampling = Resampling(drawn, options.bootstrap, options.seed)
    rows = [row_scores(counts, row, rules, resampling) for row in counts.rows]
    if against is not None:
        compared = differences(counts, against, rules, resampling)
        rows = [{**row, "against": one} for row, one in zip(rows, compared, strict=True)]
    return {
        "source": counts.name,
        "kind": counts.kind,
        "images": len(counts.images),
        "without_truth": counts.without_truth,
        "failed": counts.failed,
        "definition": definition(
            classes_with_truth=rules.classes_with_truth,
            ignored_prediction=rules.ignored_prediction,
            ignore_class=ignored,
        ),
        "background": names[rules.background] if rules.background >= 0 else None,
        "rows": rows,
    }


def values(summary: dict[str, Any], metric: str) -> dict[str, float | None]:
    """Return a metric of each row.

    Raises:
        UsageError: the metric was not measured.
    """
    if metric not in summary["rows"][0]:
        raise UsageError(f"--fail-under {spelled(metric)}: not measured in this run; add --boundary")
    return {row["name"]: row[metric] for row in summary["rows"]}


def warnings(counts: LabelMapCounts, _options: EvalOptions, _summary: dict[str, Any]) -> list[str]:
    """Return what was left out, and what counts as wrong."""
    said = []
    if counts.without_truth:
        said.append(f"left out {counts.without_truth} images without a ground-truth mask")
    if counts.failed:
        said.append(f"{counts.failed} images failed in an earlier stage; all their pixels count as wrong")
    return said


_COLUMNS: dict[str, Callable[[dict[str, Any]], float | None]] = {
    "mIoU": lambda row: row["miou"],
    "95 % from": lambda row: row.get("interval", {}).get("low"),
    "to": lambda row: row.get("interval", {}).get("high"),
    "blind": lambda row: row["blind"]["miou"],
    "pixel acc.": lambda row: row["pixel_accuracy"],
    "mean acc.": lambda row: row["mean_accuracy"],
    "FWIoU": lambda row: row["fwiou"],
    "false pos.": lambda row: row["false_positive"],
    "false neg.": lambda row: row["false_negative"],
    "per image": lambda row: row["image_miou"],
    "boundary": lambda row: row.get("boundary_iou"),
    "2+ labels": lambda row: row["several_labels"]["miou"],
    "blind, 2+": lambda row: row["several_labels"]["blind"],
}


_SEVERAL = ("2+ labels", "blind, 2+")


def columns(summary: dict[str, Any]) -> list[Table | str]:
    """Return the rows, the IoU of the classes, and what the numbers mean."""
    rows = summary["rows"]
    several = rows[0]["several_labels"]["images"]
    left_out = _SEVERAL if several in (0, summary["images"]) else ()
    shown = {
        title: get
        for title, get in _COLUMNS.items()
        if title not in left_out and any(get(row) is not None for row in rows)
    }
    ious = {row["name"]: row["classes"]["iou"] for row in rows}
    per_class = [[c, *(iou[c] for iou in ious.values())] for c in rows[0]["classes"]["iou"]]
    lines = []
    for row in rows:
        if "sweep" in row:
            best = row["sweep"]
            lines.append(
                f"{row['name']}: best threshold {best['threshold']:.2f}, mIoU {best['miou']:.4f} (oracle)"
            )
    lines += [_difference(row["name"], row["against"]) for row in rows if "against" in row]
    blind = rows[0]["blind"]
    tags = "" if blind["tags"] == "file" else "; labels taken from the ground truth"
    return [
        Table(["", *shown], [[row["name"], *(get(row) for get in shown.values())] for row in rows]),
        Table(["IoU", *ious], [one for one in per_class if any(value is not None for value in one[1:])]),
        *lines,
        f"{summary['images']} images. {summary['definition']}.",
        *([] if left_out else [f"2+ labels: mIoU over the {several} images with two or more labels."]),
        "blind baseline: one image-level label assigned to all pixels, without looking at the image "
        f"({blind['rule']}{tags}).",
    ]


def _difference(name: str, than: dict[str, Any]) -> str:
    interval = than.get("interval")
    sure = f", 95 % from {interval['low']:+.4f} to {interval['high']:+.4f}" if interval else ""
    return f"{name}: mIoU {than['miou']:+.4f} against {than['source']} ({than['name']}){sure}"


LABEL_MAPS = Scorer(
    "label maps",
    ("mask", "cam", "folder", "scores"),
    frozenset({"sweep", "boundary", "boundary_ratio", "group", "against"}),
    LabelMapCounts,
    measure,
    summarise,
    values,
    columns,
    warnings,
)
