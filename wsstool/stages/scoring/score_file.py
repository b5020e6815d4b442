"""Score files: the counts of every image as JSON, for merging shards and for intervals without the masks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from wsstool.atomic import write_text
from wsstool.errors import BadInputError, MissingInputError
from wsstool.metrics.confusion import ConfusionMatrix
from wsstool.stages.scoring.label_maps import Evaluation, Row
from wsstool.types import ClassList

FORMAT = 1
MAPS = "label maps"


def is_score_file(source: object) -> bool:
    """Whether a source is named like a score file."""
    return source is not None and Path(str(source)).suffix == ".json"


def write_scores(path: Path, found: Evaluation) -> None:
    """Write the counts of an evaluation, whole or not at all. Equal counts give equal bytes.

    Raises:
        CannotWriteError: no such folder, no space, no permission.
    """
    rows = []
    for row in found.rows:
        images = row.confusion.images()
        bounds = np.searchsorted(images.image, np.arange(images.n_images + 1))
        pairs = np.stack([images.cell, images.count], axis=1)
        counts = [pairs[a:b].reshape(-1).tolist() for a, b in pairwise(bounds)]
        rows.append({"name": row.name, "counts": counts})
    content = {
        "wsstool_scores": FORMAT,
        "source": found.name,
        "classes": list(found.classes.names),
        "background": found.classes.background,
        "images": found.images,
        "tags": [np.flatnonzero(t).tolist() for t in found.tags],
        "tags_from": found.tags_from,
        "without_truth": found.without_truth,
        "failed": found.failed,
        "rows": rows,
    }
    write_text(Path(path), json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n")


def read_scores(paths: Sequence[str | Path], contents: Sequence[dict[str, Any]] | None = None) -> Evaluation:
    """Read score files and merge them: the same counts as one pass over all images.

    Args:
        paths: the files.
        contents: what ``load`` gave for each, where they have been read already.

    Raises:
        MissingInputError: there is no such file.
        BadInputError: no score file, of other classes than the first, or an image twice.
    """
    files = [Path(p) for p in paths]
    parts = [_parsed(p, c) for p, c in zip(files, contents or map(load, files), strict=True)]
    first = parts[0]
    for path, part in zip(paths[1:], parts[1:], strict=True):
        same_rows = [r.name for r in part.rows] == [r.name for r in first.rows]
        if part.classes != first.classes or not same_rows:
            raise BadInputError(f"'{path}' scores other classes or layers than '{paths[0]}'")
        twice = set(part.images) & set(first.images)
        if twice:
            raise BadInputError(f"'{path}' scores '{min(twice)}' again")
        for row, other in zip(first.rows, part.rows, strict=True):
            row.confusion.merge(other.confusion)
        first.images += part.images
        first.tags = np.concatenate([first.tags, part.tags])
        first.without_truth += part.without_truth
        first.failed += part.failed
    return first


def _parsed(path: Path, content: dict[str, Any]) -> Evaluation:
    if "kind" in content:
        raise BadInputError(f"'{path}' holds scores of objects, not of {MAPS}")
    try:
        classes = ClassList(tuple(content["classes"]), content["background"])
        return Evaluation(
            content["source"],
            "scores",
            classes,
            list(content["images"]),
            _tags(content["tags"], len(classes)),
            content["tags_from"],
            [_row(row, len(classes)) for row in content["rows"]],
            content["without_truth"],
            content["failed"],
        )
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise BadInputError(f"'{path}' is not a score file of 'wsstool eval -o'") from error


def load(path: Path) -> dict[str, Any]:
    """The content of a score file of any kind.

    Raises:
        MissingInputError: there is no such file.
        BadInputError: no score file, or one of a later version.
    """
    content: Any = None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["wsstool_scores"] > FORMAT:
            raise BadInputError(f"'{path}' was written by a later version")
    except OSError as error:
        raise MissingInputError(f"cannot read '{path}': {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(content, dict) and "scores" in content and "curve" in content:
            raise BadInputError(
                f"'{path}' holds figures of detections, which cannot be joined: "
                "give eval the detections of all images at once"
            ) from None
        raise BadInputError(f"'{path}' is not a score file of 'wsstool eval -o'") from error
    return dict(content)


def _row(row: dict[str, Any], n_classes: int) -> Row:
    confusion = ConfusionMatrix(n_classes, keep_images=True)
    for flat in row["counts"]:
        pairs = np.array(flat, np.int64).reshape(-1, 2)
        matrix = np.zeros(n_classes * (n_classes + 1), np.int64)
        matrix[pairs[:, 0]] = pairs[:, 1]
        confusion.update_counts(matrix.reshape(n_classes, n_classes + 1))
    return Row(row["name"], confusion)


def _tags(tags: list[list[int]], n_classes: int) -> np.ndarray:
    table = np.zeros((len(tags), n_classes), bool)
    for i, ids in enumerate(tags):
        table[i, ids] = True
    return table
