"""Score the masks of boxes against the ground truth of each box and against the box itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.data.boxes.table import BoxTable, read_boxes
from wsstool.data.class_match import joined_classes
from wsstool.data.dataset import Dataset
from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.metrics.instances import InstanceScores, Width, overlap
from wsstool.regions import Boxes, box_in_window, box_mask
from wsstool.selection.confidence import box_fit
from wsstool.selection.fillers.simple import ellipse
from wsstool.stages.options.scoring import EvalOptions
from wsstool.stages.scoring.ground_truth import chosen_images, source_name
from wsstool.stages.scoring.mask_precision import MaskPrecision, MaskRuns
from wsstool.stages.scoring.object_counts import InstanceCounts
from wsstool.stages.scoring.predictions import data_folder
from wsstool.stages.scoring.scorer import Scorer, Source, Table
from wsstool.types import ClassList, Messages, tracked


def measure(source: Source, options: EvalOptions, messages: Messages) -> InstanceCounts:
    """Compare masks with those of the annotated objects; they belong together by the number of the box.

    Raises:
        MissingInputError: the named ground truth has no boxes.
        BadInputError: ground truth of another size, or that cannot be read; for average precision, classes
            that cannot be matched by name.

    Notes:
        Without any true mask the box consistency remains: how well the masks' tight boxes fit the boxes.
    """
    reader = source.records
    header = reader.header
    root = data_folder(header, source.path, options.truth)
    table = find_objects(header, root, options.truth, messages)
    chosen = chosen_images(header.images, options.split, root)
    found = InstanceCounts(
        source_name(source.path),
        table.source if table is not None else None,
        header.classes,
        [header.images[i] for i in chosen],
        0,
        InstanceScores(len(header.classes)),
        MaskPrecision() if options.ap else None,
        root,
        Width(options.boundary_ratio, options.boundary_of),
    )
    ids = np.arange(0)
    if table is not None and options.ap:
        what = f"'{source_name(source.path)}' and {table.source}"
        _, ids = joined_classes(header.classes, table.classes, what)
    number = {index: k for k, index in enumerate(chosen)}
    pending: list[tuple[int, dict[str, Any], MaskRuns | None]] = []
    for record in tracked(reader.records(), messages, len(header), "objects"):
        if record.index in number:
            found.failed += record.failed
            pending += _objects(record, number[record.index], table, found, ids)
    for row, one, mask in pending:  # scores stand behind the records
        score = float(reader.tail["score"][row])
        found.scores.update(**one, score=score, fallback=bool(reader.tail["fallback"][row]))
        if found.ap is not None and mask is not None:
            found.ap.found.append(replace(mask, score=score))
    return found


def summarise(
    counts: InstanceCounts, options: EvalOptions, *, groups: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the scores of all objects.

    Returns:
        ``source``, ``kind``, ``images``, ``failed``, ``definition``, ``boundary`` (width of the boundaries),
        ``truth`` (where it is from, or None) and one row in ``rows`` as
        ``metrics.instances.InstanceScores.result``, with ``classes`` by name and ``ap``.

    Raises:
        UsageError: average precision of score files that were made without ``--ap``.
    """
    if options.ap and counts.ap is None:
        raise UsageError("--ap needs score files made with --ap, which contain the masks")
    ordered = counts.ordered()
    ordered.scores.min_area = options.min_area
    result = ordered.scores.result(
        bootstrap=options.bootstrap,
        groups=None if groups is None else [groups[name] for name in ordered.images],
        seed=options.seed,
    )
    names = counts.classes.names
    row: dict[str, Any] = {"name": "masks", **result}
    row["classes"] = {
        "iou": dict(zip(names, row.pop("class_iou"), strict=True)),
        "objects": dict(zip(names, row.pop("class_objects"), strict=True)),
    }
    if options.ap and ordered.ap is not None:
        row["ap"] = ordered.ap.result() if result["scored"] else None
    return {
        "source": counts.source,
        "kind": "selection",
        "images": len(counts.images),
        "failed": counts.failed,
        "definition": f"mean over objects {_large(options)} of the IoU with the ground-truth mask",
        "boundary": counts.width.in_words(),
        "truth": counts.truth,
        "rows": [row],
    }


def _large(options: EvalOptions) -> str:
    return f"of at least {options.min_area} pixels"


def values(summary: dict[str, Any], metric: str) -> dict[str, float | None]:
    """Return a metric of all objects."""
    (row,) = summary["rows"]
    value = (row.get("ap") or {}).get(metric) if metric.startswith("ap") else row[metric]
    return {summary["source"]: value}


def warnings(counts: InstanceCounts, options: EvalOptions, summary: dict[str, Any]) -> list[str]:
    """Return what could not be compared."""
    said = []
    if counts.truth is not None and not summary["rows"][0]["scored"]:
        said.append(f"{counts.truth} has no ground-truth mask {_large(options)} for these boxes")
    if counts.failed:
        said.append(f"{counts.failed} images failed in an earlier stage; their objects have no mask")
    return said


def find_objects(header: store.Header, root: Path, truth: Path | None, messages: Messages) -> BoxTable | None:
    """Return the ground-truth masks of the boxes of a file; None if none are named or found.

    Args:
        header: of the file.
        root: the data folder.
        truth: data folder or box file, as named.

    Raises:
        MissingInputError: the named ground truth has no boxes.
        BadInputError: images have another size than when the file was made.
    """
    dataset = Dataset(root, header.images, ClassList(()), None, "")
    named = None if truth is None or truth == root else truth
    try:
        table = read_boxes(dataset, named, messages=messages)
    except MissingInputError:
        if truth is not None:
            raise
        messages.warn("no ground-truth masks were found; only the fit of masks to boxes is measured")
        return None
    wrong = np.flatnonzero((table.sizes != header.sizes).any(1) & header.sizes.all(1) & table.sizes.all(1))
    if len(wrong):
        i = int(wrong[0])
        (h, w), (rows, columns) = table.sizes[i].tolist(), header.sizes[i].tolist()
        raise BadInputError(
            f"'{header.images[i]}' now has {w} x {h} pixels, but its masks were made for {columns} x {rows}"
        )
    return table


def _objects(
    record: store.Record, image: int, table: BoxTable | None, counts: InstanceCounts, ids: np.ndarray
) -> list[tuple[int, dict[str, Any], MaskRuns | None]]:
    """Number of the box, what is measured of it, and its mask packed for average precision.

    ``ids``: class id in the file of each class of the table.
    """
    columns, rows, ap = record.header.columns, record.header.rows(record.index, "box"), counts.ap
    true: dict[int, np.ndarray] = {}
    if table is not None and any(shape is not None for shape in table.shapes[record.index]):
        objects, masks = table.of(record.index), table.truth(record.index)
        check_places(record, objects, table.source)
        true = {int(k): m for k, m in zip(objects.ids, masks, strict=True) if m is not None}
        if ap is not None:
            ap.sizes[image] = record.size
            pairs = zip(ids[objects.class_ids].tolist(), masks, strict=True)
            ap.truth += [MaskRuns.of_mask(image, c, m) for c, m in pairs if m is not None]
    found = []
    for k, window in zip(range(rows.start, rows.stop), record.windows, strict=True):
        x0, y0, x1, y1 = columns["window"][k].tolist()
        inner = box_in_window(columns["box"][k], columns["window"][k])
        mask = window == 1
        hull = box_mask(inner, mask.shape)
        one: dict[str, Any] = {
            "image": image,
            "class_id": int(columns["box_class"][k]),
            "box_fit": box_fit(window, inner),
            "coverage": float((mask & hull).sum() / max(hull.sum(), 1)),
            "box_area": float(np.prod(columns["box"][k][2:] - columns["box"][k][:2])),
        }
        truth = true.get(int(columns["box_id"][k]))
        whole = np.zeros(record.size, bool)
        whole[y0:y1, x0:x1] = mask
        if truth is not None:
            shown = truth[y0:y1, x0:x1]
            one |= {"area": int(truth.sum()), "found": overlap(whole, truth, counts.width)}
            for name, shape in (("box", hull), ("ellipse", ellipse(mask.shape, inner) == 1)):
                both = (shape & shown).sum()
                one[name] = float(both / max(shape.sum() + truth.sum() - both, 1))
        scored = ap is not None and image in ap.sizes
        found.append((k, one, MaskRuns.of_mask(image, one["class_id"], whole) if scored else None))
    return found


def check_places(record: store.Record, objects: Boxes, source: str) -> None:
    """Raise BadInputError if a box of the file and the annotated box of its number are disjoint."""
    columns, rows = record.header.columns, record.header.rows(record.index, "box")
    places = dict(zip(objects.ids.tolist(), objects.xyxy, strict=True))
    for number, box in zip(columns["box_id"][rows].tolist(), columns["box"][rows], strict=True):
        true = places.get(number, box)
        if (np.minimum(box[2:], true[2:]) <= np.maximum(box[:2], true[:2])).any():
            raise BadInputError(
                f"box {number} of '{record.name}' does not overlap annotation {number} of {source}; the "
                "masks and the ground truth are numbered differently"
            )


def columns(summary: dict[str, Any]) -> list[Table | str]:
    """Return all scores with the blind baseline, then classes and sizes, then scores without ground truth."""
    (row,) = summary["rows"]
    consistency = {
        "fit of mask to box": row["box_fit"],
        "filled fraction of box": row["coverage"],
        "mask score": row["score"],
        "fallbacks": str(row["fallbacks"]),
    }
    return [
        *(_columns_with_truth(row) if row["scored"] else ()),
        Table(["without ground truth", ""], [*consistency.items()]),
        f"{summary['images']} images, {row['objects']} objects: {row['scored']} scored, {row['too_small']} "
        f"too small, {row['without_truth']} without a ground-truth mask. IoU: {summary['definition']}.",
        *([f"Boundary scores: {summary['boundary']}."] if row["scored"] else []),
    ]


def _columns_with_truth(row: dict[str, Any]) -> list[Table]:
    interval = row.get("interval", {})
    shown = {
        "mean instance IoU": row["instance_miou"],
        "  95 % from": interval.get("low"),
        "  to": interval.get("high"),
        "blind: filled box": row["blind"]["box"],
        "blind: ellipse": row["blind"]["ellipse"],
        "IoU of 0.5 or more": row["share_50"],
        "IoU of 0.7 or more": row["share_70"],
        "overall IoU": row["overall_iou"],
        "boundary IoU": row["boundary_iou"],
        "boundary F": row["boundary_f"],
        "rank correlation of score and IoU": row["score_order"],
        **{name.upper().replace("_", " "): value for name, value in (row.get("ap") or {}).items()},
    }
    groups = [(name, one["objects"], one["instance_miou"]) for name, one in row["by_size"].items()]
    if (by_box := row["by_box_area"])["objects"] != row["scored"]:
        groups.append(("by box area", by_box["objects"], by_box["instance_miou"]))
    number, ious = row["classes"]["objects"], row["classes"]["iou"]
    groups += [(name, number[name], iou) for name, iou in ious.items() if iou is not None]
    return [
        Table(["with ground truth", ""], [*shown.items()]),
        Table(["objects", "number", "IoU"], [(name, str(n), iou) for name, n, iou in groups if n]),
    ]


INSTANCES = Scorer(
    "masks of boxes",
    ("selection",),
    frozenset({"boundary", "boundary_of", "boundary_ratio", "group", "ap"}),
    InstanceCounts,
    measure,
    summarise,
    values,
    columns,
    warnings,
)
