"""Score proposals against the objects of a box file: one row per object size and number of proposals."""

from __future__ import annotations

from typing import Any

import numpy as np

from wsstool import store
from wsstool.data.boxes.table import BoxTable, read_boxes
from wsstool.data.dataset import Dataset
from wsstool.errors import BadInputError, MissingInputError
from wsstool.metrics.sizes import SIZES
from wsstool.stages.inputs.image_folder import in_words, tried_folders
from wsstool.stages.options.scoring import EvalOptions
from wsstool.stages.scoring.ground_truth import chosen_images, source_name
from wsstool.stages.scoring.object_counts import ProposalCounts
from wsstool.stages.scoring.predictions import data_folder
from wsstool.stages.scoring.scorer import Scorer, Source, Table
from wsstool.types import ClassList, Messages, tracked

DEFINITION = (
    "ABO: mean over objects of the best overlap with a proposal; R t: share of objects with a best overlap "
    "of at least t; AR: mean recall at overlaps of 0.50, 0.55 ... 0.95; best N: the first N proposals of "
    "each image; unions: the best union of superpixels, an upper bound on any selection; small: below "
    f"{int(SIZES['small'][1])} pixels, large: from {int(SIZES['large'][0])} pixels"
)


def measure(source: Source, options: EvalOptions, messages: Messages) -> ProposalCounts:
    """Compare proposals with the annotated objects of their images.

    Raises:
        MissingInputError: no boxes.
        BadInputError: ground truth of another size than the image, or that cannot be read.
    """
    reader, truth = source.records, options.truth
    header = reader.header
    root = data_folder(header, source.path, truth)
    if not root.is_dir():
        where = in_words(tried_folders(header.image_root, source=source.path))
        raise MissingInputError(
            f"the images of the proposals are not in {where}; use --truth to name the data folder with "
            "their boxes"
        )
    dataset = Dataset(root, header.images, ClassList(()), None, "proposals")
    table = read_boxes(dataset, None if truth in (None, root) else truth, messages=messages)
    _check_sizes(table, header)
    chosen = set(chosen_images(header.images, options.split, root))
    found = ProposalCounts(source_name(source.path), table.source, set(), [], 0, root=root)
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
    return found


def summarise(counts: ProposalCounts, _options: EvalOptions) -> dict[str, Any]:
    """Return the scores of all objects.

    Returns:
        ``rows`` as ``metrics.proposals.ProposalScores.result``; ``annotated``: what the truth consists of;
        ``images``, ``failed``, ``proposals_per_image``, ``definition``.

    Raises:
        MissingInputError: there is no object.
    """
    scores = counts.ordered().scores
    rows = scores.result()
    if not any(row["number"] for row in rows):
        raise MissingInputError(f"{counts.truth} has no usable box in the selected images")
    return {
        "source": counts.source,
        "kind": "proposal",
        "images": len(counts.images),
        "failed": counts.failed,
        "proposals_per_image": float(np.mean(scores.counts)) if scores.counts else 0.0,
        "definition": DEFINITION,
        "annotated": _annotated(counts),
        "rows": rows,
    }


def _annotated(found: ProposalCounts) -> str:
    """Describe the ground truth: recall covers annotated objects only."""
    counts = np.array([len(one) for one in found.scores.areas], np.int64)
    masks = sum(int((~np.isnan(one)).sum()) for one in found.scores.unions)
    said = f"{_number(int(counts.sum()), 'object', 'objects')} of "
    said += f"{_number(len(found.classes), 'class', 'classes')} in "
    said += f"{_number(int((counts > 0).sum()), 'image', 'images')}, {masks} with a mask, from {found.truth}"
    if not counts.all():
        said += f"; {_number(int((counts == 0).sum()), 'image', 'images')} without an object"
    return said + "; objects without annotation are not counted"


def _number(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _check_sizes(table: BoxTable, header: store.Header) -> None:
    wrong = np.flatnonzero((table.sizes != header.sizes).any(1) & (header.sizes.sum(1) > 0))
    if len(wrong):
        i = int(wrong[0])
        (h, w), (rows, columns) = table.sizes[i].tolist(), header.sizes[i].tolist()
        raise BadInputError(
            f"'{header.images[i]}' now has {w} x {h} pixels, but its proposals were made for {columns} "
            f"x {rows}"
        )


def values(summary: dict[str, Any], metric: str) -> dict[str, float | None]:
    """Return a metric of all objects with all proposals, by masks where there are any."""
    rows = [row for row in summary["rows"] if row["objects"] == "all" and row["best"] is None]
    row = next(row for row in rows if row["number"])
    return {row["of"]: row[metric]}


def warnings(counts: ProposalCounts, _options: EvalOptions, _summary: dict[str, Any]) -> list[str]:
    """Return what counts as not found."""
    if not counts.failed:
        return []
    return [f"{counts.failed} images failed in an earlier stage; their objects count as not found"]


_COLUMNS = {"abo": "ABO", "recall_50": "R .5", "recall_70": "R .7", "recall_85": "R .85", "ar": "AR"}


def columns(summary: dict[str, Any]) -> list[Table | str]:
    """Return all objects by number of proposals, then each size of objects with all proposals."""
    tables: list[Table | str] = []
    for of in ("masks", "boxes", "unions"):
        rows = [row for row in summary["rows"] if row["of"] == of]
        if not rows[0]["number"]:
            continue
        shown = [row for row in rows if row["objects"] == "all"]
        shown += [row for row in rows if row["objects"] != "all" and row["best"] is None]
        cells = [
            [row["objects"], str(row["number"]), str(row["best"] or "all"), *(row[key] for key in _COLUMNS)]
            for row in shown
        ]
        tables.append(Table([of, "objects", "best", *_COLUMNS.values()], cells))
    each = f"{summary['proposals_per_image']:.0f} proposals per image"
    return [
        *tables,
        f"{summary['images']} images, {each}. {summary['definition']}.",
        f"Annotated: {summary['annotated']}.",
    ]


PROPOSALS = Scorer(
    "proposals",
    ("proposal",),
    frozenset(),
    ProposalCounts,
    measure,
    summarise,
    values,
    columns,
    warnings,
)
