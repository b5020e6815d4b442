"""The scores of a score file: clean, robust, retention, mCE, by category, corruption and severity."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from wsstool import store
from wsstool.corruptions.levels import SEVERITIES
from wsstool.errors import BadInputError
from wsstool.metrics.classification import classification_scores
from wsstool.metrics.corruption_error import (
    ALEXNET,
    category_means,
    corruption_errors,
    mean_corruption_error,
    retention,
)
from wsstool.metrics.segmentation import number, scores_of_pixels
from wsstool.stages.robustness.conditions import CLEAN, SYNTHETIC_FROST, Condition, categories
from wsstool.stages.robustness.views import Views

METRICS = {"class": ("accuracy",), "scores": ("map", "exact_match"), "pixels": ("miou", "pixel_accuracy")}
"""What is measured -> the metrics of it; the first is the score of the summary."""

DEFINITIONS = {
    "accuracy": "top-1 accuracy",
    "map": "mean average precision over the classes that occur; exact_match: share of images whose tags are "
    "all right",
    "miou": "one confusion matrix over all pixels whose ground truth is not 255; mean over classes with "
    "ground truth or prediction; pixel_accuracy: share of correct pixels",
}


def summarise(path: Path | str, *, source: Path | str | None = None) -> dict[str, Any]:
    """Compute all scores of a score file.

    Args:
        path: the file.
        source: what the scores are of, for messages and in the result; None: the file.

    Returns:
        ``metric`` and its ``definition``; ``clean``, ``robust`` (mean over severities, then corruptions),
        ``retention`` (robust / clean), ``category_mean`` (mean over the categories, as published) and
        ``category_retention``; ``mce`` as a fraction, or None with ``mce_missing``, the reason;
        ``categories`` and ``corruptions`` (name -> category, ``severities``, ``mean``, and ``ce``);
        ``metrics``: the same scores by the other metrics; ``images``, ``failed`` (names), ``applied`` (the
        size at which images were corrupted) and ``notes``.

    Raises:
        MissingInputError, BadInputError: no score file, or a damaged one.
    """
    source = path if source is None else source
    with store.open_records(path, kinds=("score",), command="robustness") as reader:
        header = reader.header
        by_metric = _by_condition(header, reader)
        failed = [header.images[i] for i in np.flatnonzero(reader.tail["status"] != store.DONE)]
    if len(failed) == len(header):
        raise BadInputError(f"all {len(header)} images of '{source}' failed")
    conditions = [Condition.of(text) for text in header.attributes["conditions"]]
    main, *others = METRICS[header.attributes["measure"]]
    scores = {metric: _scores(conditions, by_metric[metric]) for metric in (main, *others)}
    error = _corruption_error(main, conditions, by_metric[main])
    for name, one in error.pop("ce").items():
        scores[main]["corruptions"][name]["ce"] = one
    return {
        "source": str(source),
        "kind": "score",
        "metric": main,
        "definition": DEFINITIONS[main],
        **scores[main],
        **error,
        "metrics": {metric: scores[metric] for metric in others},
        "images": len(header) - len(failed),
        "failed": failed,
        "applied": _applied(header),
        "notes": _notes(header, conditions),
    }


def _by_condition(header: store.Header, reader: store.Reader) -> dict[str, list[float]]:
    """Return metric -> its value under each condition."""
    measure = header.attributes["measure"]
    good = ((record.index, record.data) for record in reader.records() if not record.failed)
    if measure == "pixels":
        return _of_pixels(good)
    numbers, rows = [], []
    for i, data in good:
        numbers.append(i)
        rows.append(data)
    if not rows:
        return {}
    if header.labels is None:
        raise BadInputError(f"{reader.name} has no labels to compare with")
    values = np.stack(rows, 1)[..., 0]  # (M, N, K)
    labels = header.labels[numbers]
    if measure == "class":
        right = values[:, :, 0] == labels.argmax(1)
        return {"accuracy": [float(one.mean()) for one in right]}
    found = [classification_scores(labels[:, list(header.classes.foreground)], one) for one in values]
    return {
        "map": [one.mean_average_precision for one in found],
        "exact_match": [one.exact_match for one in found],
    }


def _of_pixels(records: Iterable[tuple[int, np.ndarray]]) -> dict[str, list[float]]:
    total: np.ndarray | None = None
    for _, data in records:
        total = data.astype(np.int64) if total is None else total + data
    if total is None:
        return {}
    found = [scores_of_pixels(*one.T) for one in total]
    return {"miou": [one.mean_iou for one in found], "pixel_accuracy": [one.pixel_accuracy for one in found]}


def _scores(conditions: Sequence[Condition], values: Sequence[float]) -> dict[str, Any]:
    """Return the scores by one metric."""
    clean, corrupted = values[0], _severities(conditions, values)
    groups = categories()
    means = {name: fmean(own.values()) for name, own in corrupted.items()}
    robust = fmean(means.values()) if means else math.nan
    lists = {name: list(own.values()) for name, own in corrupted.items()}
    by_category = category_means(lists, {**groups, "other": _others(corrupted, groups)})
    category_mean = fmean(by_category.values()) if by_category else math.nan
    category_of = {name: category for category, names in groups.items() for name in names}
    return {
        "clean": number(clean),
        "robust": number(robust),
        "retention": number(retention(robust, clean)),
        "category_mean": number(category_mean),
        "category_retention": number(retention(category_mean, clean)),
        "categories": {category: number(mean) for category, mean in by_category.items()},
        "corruptions": {
            name: {
                "category": category_of.get(name, "other"),
                "severities": {str(severity): number(value) for severity, value in own.items()},
                "mean": number(means[name]),
            }
            for name, own in corrupted.items()
        },
    }


def _severities(conditions: Sequence[Condition], values: Sequence[float]) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {}
    for condition, value in zip(conditions, values, strict=True):
        if condition != CLEAN:
            found.setdefault(condition.name, {})[condition.severity] = value
    return found


def _others(names: Iterable[str], groups: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    known = {name for group in groups.values() for name in group}
    return tuple(name for name in names if name not in known)


def _corruption_error(
    metric: str, conditions: Sequence[Condition], values: Sequence[float]
) -> dict[str, Any]:
    """Return ``mce`` or the reason that there is none, and ``ce`` by corruption."""
    if metric != "accuracy":
        what = "a classifier on images with one tag each"
        return {"mce": None, "mce_missing": f"mCE is defined for the top-1 error of {what}", "ce": {}}
    corrupted = {name: list(own.values()) for name, own in _severities(conditions, values).items()}
    missing = [name for name in ALEXNET if len(corrupted.get(name, ())) < len(SEVERITIES)]
    why = None
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        why = f"mCE needs its 15 corruptions at all five severities; not measured: {missing[0]}{more}"
    mce = number(mean_corruption_error(corrupted))
    return {"mce": mce, "mce_missing": why, "ce": corruption_errors(corrupted)}


def _applied(header: store.Header) -> dict[str, Any]:
    """Return the size at which images were corrupted."""
    params = header.params
    at = params.get("corrupt_at") or "native"
    views = Views(params.get("image_size"), bool(params.get("crop")), at)
    sizes = [size for size in header.sizes.tolist() if size != [0, 0]] or [[0, 0]]
    rows, columns = np.array([views.corrupted_size((r, c)) for r, c in sizes]).T
    return {
        "at": at,
        "image_size": views.image_size,
        "crop": views.crop,
        "rows": [int(rows.min()), int(rows.max())],
        "columns": [int(columns.min()), int(columns.max())],
    }


def _notes(header: store.Header, conditions: Sequence[Condition]) -> list[str]:
    names = {one.name for one in conditions}
    notes = []
    if SYNTHETIC_FROST in names and "frost" not in names:
        notes.append(
            f"{SYNTHETIC_FROST} counts as weather in place of frost; the means cannot be compared with "
            "published ones"
        )
    if header.params.get("shard"):
        notes.append(
            f"these are the scores of shard {header.params['shard']} alone; 'wsstool merge' joins shards"
        )
    return notes
