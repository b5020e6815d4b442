"""Score the maps of boxes as the masks that a threshold makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from wsstool import store
from wsstool.data.boxes.table import BoxTable
from wsstool.errors import MissingInputError
from wsstool.metrics.sweep import object_overlaps
from wsstool.regions import box_in_window, box_mask
from wsstool.selection.box_threshold import LEVELS, box_fits, choose_level
from wsstool.stages.options.scoring import EvalOptions
from wsstool.stages.scoring.ground_truth import chosen_images, source_name
from wsstool.stages.scoring.instances import check_places, find_objects
from wsstool.stages.scoring.object_maps.counts import MapCounts
from wsstool.stages.scoring.predictions import data_folder
from wsstool.stages.scoring.scorer import Scorer, Source, Table
from wsstool.types import Messages, tracked

USUAL = 0.5
"""The threshold of ``select --method prior``."""


def measure(source: Source, options: EvalOptions, messages: Messages) -> MapCounts:
    """Compare maps with the masks of the annotated objects; they belong together by the number of the box.

    Raises:
        MissingInputError: no ground-truth mask.
        BadInputError: ground truth of another size, or that cannot be read.
    """
    reader = source.records
    header = reader.header
    root = data_folder(header, source.path, options.truth)
    table = find_objects(header, root, options.truth, messages)
    if table is None or not table.has_truth:
        raise MissingInputError(
            "maps of boxes are scored against ground-truth masks, and there are none; name them with --truth"
        )
    chosen = chosen_images(header.images, options.split, root)
    found = MapCounts(
        source_name(source.path),
        table.source,
        [header.images[i] for i in chosen],
        LEVELS if options.sweep else (USUAL,),
        root=root,
    )
    number = {index: k for k, index in enumerate(chosen)}
    for record in tracked(reader.records(), messages, len(header), "objects"):
        if record.index in number:
            found.failed += record.failed
            if not record.failed:
                _add(found, record, number[record.index], table)
    return found


def _add(found: MapCounts, record: store.Record, image: int, table: BoxTable) -> None:
    """Add the objects of an image."""
    header, objects = record.header, table.of(record.index)
    check_places(record, objects, table.source)
    true = dict(zip(objects.ids.tolist(), table.truth(record.index), strict=True))
    rows = header.rows(record.index, "box")
    used = [LEVELS.index(level) for level in found.levels]
    for k, prior in zip(range(rows.start, rows.stop), record.windows, strict=True):
        x0, y0, x1, y1 = header.columns["window"][k].tolist()
        box = box_in_window(header.columns["box"][k], header.columns["window"][k])
        truth = true.get(int(header.columns["box_id"][k]))
        inside = np.where(box_mask(box, prior.shape), prior, 0)
        found.image.append(image)
        found.fit.append(box_fits(prior, box)[used].tolist())
        found.area.append(None if truth is None else int(truth.sum()))
        if truth is None:
            found.iou.append(None)
        else:
            shown = truth[y0:y1, x0:x1]
            found.iou.append(object_overlaps(inside, shown, int(truth.sum()), found.levels).tolist())


def summarise(counts: MapCounts, options: EvalOptions) -> dict[str, Any]:
    """Return the mean overlap of all objects.

    Returns:
        ``source``, ``kind``, ``images``, ``failed``, ``definition``, ``truth``, and one row in ``rows`` with
        ``objects``, ``scored``, ``instance_miou`` and ``box_fit`` at the threshold 0.5, None without a
        scored object. With ``--sweep`` also ``sweep``: ``thresholds``, both means at each, the best by
        ground truth under ``best`` and the one that ``--threshold auto`` chooses under ``auto``.
    """
    ious, fits = counts.scored(options.min_area)
    at = counts.levels.index(USUAL)
    miou, fit = _means(ious), _means(fits)
    row = {
        "name": "maps",
        "objects": len(counts.image),
        "scored": len(ious),
        "instance_miou": miou[at],
        "box_fit": fit[at],
    }
    if len(counts.levels) > 1 and len(ious):
        whole = np.array(counts.fit).sum(0)  # without ground truth: of all objects, whatever their size
        best = {"best": int(ious.mean(0).argmax()), "auto": counts.levels.index(choose_level(whole))}
        row["sweep"] = {
            "thresholds": list(counts.levels),
            "instance_miou": miou,
            "box_fit": fit,
            **{name: {"threshold": counts.levels[k], "instance_miou": miou[k]} for name, k in best.items()},
        }
    return {
        "source": counts.source,
        "kind": "contour",
        "images": len(counts.images),
        "failed": counts.failed,
        "definition": f"mean over objects of at least {options.min_area} pixels of the IoU of the "
        "ground-truth mask with the pixels of the box on which the map reaches the threshold",
        "truth": counts.truth,
        "rows": [row],
    }


def _means(rows: np.ndarray) -> list[float | None]:
    """Mean of each column of (N, T); None without a row."""
    return rows.mean(0).tolist() if len(rows) else [None] * rows.shape[1]


def values(summary: dict[str, Any], metric: str) -> dict[str, float | None]:
    """Return a metric at the threshold 0.5."""
    (row,) = summary["rows"]
    return {summary["source"]: row[metric]}


def warnings(counts: MapCounts, options: EvalOptions, summary: dict[str, Any]) -> list[str]:
    """Return what could not be compared."""
    said = []
    if not summary["rows"][0]["scored"]:
        said.append(
            f"{counts.truth} has no ground-truth mask of at least {options.min_area} pixels for these boxes"
        )
    if counts.failed:
        said.append(f"{counts.failed} images failed in an earlier stage; their objects have no map")
    return said


def columns(summary: dict[str, Any]) -> list[Table | str]:
    """Return the scores at 0.5, and those at each threshold of a sweep."""
    (row,) = summary["rows"]
    sweep = row.get("sweep")
    rows = [(f"{USUAL:.2f}", row["instance_miou"], row["box_fit"])]
    lines = []
    if sweep is not None:
        triples = zip(sweep["thresholds"], sweep["instance_miou"], sweep["box_fit"], strict=True)
        rows = [(f"{threshold:.2f}", iou, fit) for threshold, iou, fit in triples]
        best, auto = sweep["best"], sweep["auto"]
        lines = [
            f"best threshold {best['threshold']:.2f}, mean IoU {best['instance_miou']:.4f} (oracle)",
            f"--threshold auto {auto['threshold']:.2f}, mean IoU {auto['instance_miou']:.4f}",
        ]
    return [
        Table(["threshold", "mean instance IoU", "fit of map to box"], rows),
        *lines,
        f"{summary['images']} images, {row['objects']} objects, {row['scored']} scored. "
        f"IoU: {summary['definition']}.",
    ]


OBJECT_MAPS = Scorer(
    "maps of boxes",
    ("contour",),
    frozenset({"sweep"}),
    MapCounts,
    measure,
    summarise,
    values,
    columns,
    warnings,
)
