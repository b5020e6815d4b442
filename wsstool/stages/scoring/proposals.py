"""Score a ``proposal`` file against the objects of a box file: one pass, one row a size and a number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.data.boxes.table import BoxTable, read_boxes
from wsstool.data.dataset import Dataset
from wsstool.data.listing import Lookup
from wsstool.data.splits import split_indices
from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.metrics.sizes import SIZES
from wsstool.stages.scoring.fail_under import require_least
from wsstool.stages.scoring.object_score_file import ProposalCounts, write_objects
from wsstool.stages.scoring.predictions import data_root, source_name
from wsstool.types import SILENT, ClassList, Messages, tracked

METRICS = ("abo", "recall_50", "recall_70", "recall_85", "ar")

DEFINITION = (
    "ABO: mean over objects of the best overlap with a proposal; R t: share of objects with an overlap of at "
    "least t; AR: mean recall at .50, .55 ... .95; best N: the first N proposals of each image; unions: the "
    "best union of superpixels, a bound on what can be selected; small below "
    f"{int(SIZES['small'][1])} px, large from {int(SIZES['large'][0])} px"
)


def score_proposals(
    reader: store.Reader,
    source: object,
    *,
    truth: Path | None = None,
    split: str | None = None,
    fail_under: tuple[str, float] | None = None,
    output: Path | None = None,
    messages: Messages = SILENT,
) -> dict[str, Any]:
    """Compare proposals with the annotated objects of their images.

    Args:
        reader: of a ``proposal`` file.
        source: its path, for messages and to find the images.
        truth: the data folder, or a box file; None: what lies beside the images.
        split: score these images only.
        fail_under: metric and least value, of all objects and all proposals, by masks where there are any.
        output: file for the scores, as JSON.
        messages: told what was left out.

    Returns:
        ``rows`` as ``metrics.proposals.ProposalScores.result``; ``annotated``: what the truth consists of;
        ``images``, ``failed``, ``proposals_per_image``, ``definition``.
    Raises:
        MissingInputError: no boxes, or none in these images.
        BadInputError: truth of another size than the image, or that cannot be read.
        BelowThresholdError: see ``fail_under``; its ``summary`` is what would be returned.
    """
    header = reader.header
    root = truth if truth is not None and truth.is_dir() else Path(data_root(header, source))
    if not root.is_dir():
        raise MissingInputError(
            f"the images of the proposals are not in '{root}'; --truth names the data folder with their boxes"
        )
    pictures = Dataset(root, header.images, ClassList(()), None, "proposals")
    table = read_boxes(pictures, None if truth in (None, root) else truth, messages=messages)
    _check_sizes(table, header)
    chosen = set(range(len(header)))
    if split is not None:
        chosen &= set(split_indices(root, header.images, Lookup(header.images), split))
    found = ProposalCounts(source_name(source), table.source, set(), [], 0)
    for record in tracked(reader.records(), messages, len(header), "proposals"):
        if record.index not in chosen:
            continue
        objects = table.of(record.index)
        found.failed += record.failed
        found.images.append(record.name)
        found.classes |= {table.classes.names[c] for c in objects.class_ids.tolist()}
        try:
            found.scores.add(
                None if record.failed else record.proposals, table.truth(record.index), objects.xyxy
            )
        except ValueError as error:
            raise BadInputError(f"{record.name}: {error}") from None
    summary = summarise_proposals(found, messages=messages)
    if output is not None:
        write_objects(Path(output), found, summary)
    if fail_under is not None:
        require_proposals(summary, *fail_under)
    return summary


def summarise_proposals(found: ProposalCounts, *, messages: Messages = SILENT) -> dict[str, Any]:
    """The scores of what was measured, here or in other runs: see :func:`score_proposals`.

    Raises:
        MissingInputError: there is no object.
    """
    scores = found.ordered().scores
    rows = scores.result()
    if not any(row["number"] for row in rows):
        raise MissingInputError(f"{found.truth} has no usable box in the images that were asked for")
    if found.failed:
        messages.warn(f"{found.failed} images failed in an earlier stage: none of their objects is found")
    return {
        "source": found.source,
        "kind": found.kind,
        "images": len(found.images),
        "failed": found.failed,
        "proposals_per_image": float(np.mean(scores.counts)) if scores.counts else 0.0,
        "definition": DEFINITION,
        "annotated": _annotated(found),
        "rows": rows,
    }


def _annotated(found: ProposalCounts) -> str:
    """What the truth consists of: recall says nothing about things that nobody annotated."""
    counts = np.array([len(one) for one in found.scores.areas], np.int64)
    masks = sum(int((~np.isnan(one)).sum()) for one in found.scores.unions)
    said = f"{_number(int(counts.sum()), 'object', 'objects')} of "
    said += f"{_number(len(found.classes), 'class', 'classes')} in "
    said += f"{_number(int((counts > 0).sum()), 'image', 'images')}, {masks} with a mask, from {found.truth}"
    if not counts.all():
        said += f"; {_number(int((counts == 0).sum()), 'image', 'images')} without an object"
    return said + "; what is not annotated counts neither for nor against"


def _number(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _check_sizes(table: BoxTable, header: store.Header) -> None:
    wrong = np.flatnonzero((table.sizes != header.sizes).any(1) & (header.sizes.sum(1) > 0))
    if len(wrong):
        i = int(wrong[0])
        (h, w), (rows, columns) = table.sizes[i].tolist(), header.sizes[i].tolist()
        raise BadInputError(
            f"'{header.images[i]}' is {w} x {h} pixels now, its proposals are for {columns} x {rows}"
        )


def require_proposals(summary: dict[str, Any], metric: str, least: float) -> None:
    """Raise BelowThresholdError where a metric of a summary is below what it must be."""
    metric = "abo" if metric == "miou" else metric
    if metric not in METRICS:
        raise UsageError(f"--fail-under {metric}: of proposals there are {', '.join(METRICS)}")
    rows = [row for row in summary["rows"] if row["objects"] == "all" and row["best"] is None]
    row = next(row for row in rows if row["number"])
    require_least(summary, f"{metric} of {row['of']}", row[metric], least)
