"""Two evaluations of the same images: the difference of their scores, and how sure it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from wsstool.errors import BadInputError
from wsstool.metrics.bootstrap import difference_interval
from wsstool.metrics.confusion import ConfusionMatrix, ImageCounts
from wsstool.metrics.segmentation import segmentation_scores
from wsstool.stages.scoring.label_maps import Evaluation, Rules
from wsstool.stages.scoring.score_file import read_scores


def differences(
    found: Evaluation,
    against: Path,
    rules: Rules,
    *,
    bootstrap: int = 1000,
    groups: list[str] | None = None,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """For each row: its mIoU minus that of the same row (or the only one) of a score file.

    Args:
        found: an evaluation.
        against: score file of the same images, in any order.
        rules: of both scores.
        bootstrap, groups, seed: of the interval; images (or groups) are drawn for both at once.

    Returns:
        ``{"source", "name", "miou", "interval"}`` each; no interval with ``bootstrap`` 0.

    Raises:
        BadInputError: no score file, or one of other classes, images or rows.
    """
    other = read_scores([against])
    if other.classes.names != found.classes.names:
        raise BadInputError(f"'{against}' scores other classes than '{found.name}'")
    odd = sorted(set(found.images) ^ set(other.images))
    if odd:
        raise BadInputError(f"'{against}' scores other images than '{found.name}' (such as '{odd[0]}')")
    if len(other.rows) not in (1, len(found.rows)):
        raise BadInputError(f"'{against}' has {len(other.rows)} rows, '{found.name}' {len(found.rows)}")
    place = {name: i for i, name in enumerate(found.images)}
    order = np.array([place[name] for name in other.images])
    n, options = len(found.classes), rules.options()
    rows = []
    for number, row in enumerate(found.rows):
        reference = other.rows[number if len(other.rows) > 1 else 0]
        said: dict[str, Any] = {
            "source": other.name,
            "name": reference.name,
            "miou": _mean_iou(row.confusion, options) - _mean_iou(reference.confusion, options),
        }
        if bootstrap:
            counts = reference.confusion.images()
            moved = ImageCounts(counts.n_images, order[counts.image], counts.cell, counts.count)
            interval = difference_interval(
                row.confusion.images(),
                moved,
                n,
                groups=groups,
                samples=bootstrap,
                seed=seed,
                background=rules.background,
                **options,
            )
            said["interval"] = vars(interval)
        rows.append(said)
    return rows


def _mean_iou(confusion: ConfusionMatrix, options: dict[str, Any]) -> float:
    return segmentation_scores(confusion.matrix, **options).mean_iou
