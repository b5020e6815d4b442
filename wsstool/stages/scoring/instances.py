"""Score a ``selection`` file: every mask against the true mask of its box, and against the box itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.data.boxes.table import BoxTable, read_boxes
from wsstool.data.dataset import Dataset
from wsstool.data.listing import Lookup
from wsstool.data.splits import split_indices
from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.metrics.instances import InstanceScores, overlap
from wsstool.regions import Boxes, box_in_window, box_mask
from wsstool.selection.confidence import box_fit
from wsstool.selection.fillers.simple import ellipse
from wsstool.stages.scoring.fail_under import require_least
from wsstool.stages.scoring.mask_precision import MaskPrecision, MaskRuns
from wsstool.stages.scoring.object_score_file import InstanceCounts, write_objects
from wsstool.stages.scoring.predictions import data_root, source_name
from wsstool.types import SILENT, ClassList, Messages, tracked

METRICS = ("instance_miou", "share_50", "share_70", "overall_iou", "boundary_f", "box_fit", "ap", "ap_50")


def score_instances(
    reader: store.Reader,
    source: object,
    *,
    truth: Path | None = None,
    split: str | None = None,
    min_area: int = 100,
    ap: bool = False,
    bootstrap: int = 1000,
    groups: Callable[[Path, tuple[str, ...]], list[str]] | None = None,
    seed: int = 0,
    fail_under: tuple[str, float] | None = None,
    output: Path | None = None,
    messages: Messages = SILENT,
) -> dict[str, Any]:
    """Compare the masks of boxes with those of the annotated objects; they belong together by their number.

    Args:
        reader: of a ``selection`` file.
        source: its path, for messages and to find the images.
        truth: the data folder, or a box file with masks; None: what lies beside the images.
        split: score these images only.
        min_area: pixels of the true mask that an object needs, to count.
        ap: also COCO's average precision, of all objects whatever their size.
        bootstrap: resamples for the interval of the mean IoU; images are drawn whole. 0: none.
        groups: f(root, images) -> a value an image, equal ones drawn together; None: image by image.
        seed: of the resampling.
        fail_under: metric and least value.
        output: file for the scores and every object's row, as JSON.
        messages: told what was left out.

    Returns:
        ``source``, ``kind``, ``images``, ``failed``, ``definition``, ``truth`` (where it is from, or None)
        and one row in ``rows`` as ``metrics.instances.InstanceScores.result``, with ``classes`` by name and
        ``ap``.

    Raises:
        MissingInputError: the named truth has no boxes.
        BadInputError: truth of another size, or that cannot be read.
        BelowThresholdError: see ``fail_under``; its ``summary`` is what would be returned.
        UsageError: options that do not fit.

    Notes:
        Without any true mask the box consistency remains: how well the masks' tight boxes fit the boxes.
    """
    _check_area(min_area)
    header = reader.header
    root = truth if truth is not None and truth.is_dir() else Path(data_root(header, source))
    table = find_objects(header, root, truth, messages)
    chosen = list(range(len(header)))
    if split is not None:
        chosen = sorted(set(split_indices(root, header.images, Lookup(header.images), split)))
    found = InstanceCounts(
        source_name(source),
        table.source if table is not None else None,
        header.classes,
        [header.images[i] for i in chosen],
        0,
        InstanceScores(len(header.classes)),
        MaskPrecision() if ap else None,
    )
    number = {index: k for k, index in enumerate(chosen)}
    pending: list[tuple[int, dict[str, Any], MaskRuns | None]] = []
    for record in tracked(reader.records(), messages, len(header), "objects"):
        if record.index in number:
            found.failed += record.failed
            pending += _objects(record, number[record.index], table, found.ap)
    for row, one, instance in pending:
        one["score"] = float(reader.tail["score"][row])
        found.scores.update(**one, fallback=bool(reader.tail["fallback"][row]))
        if found.ap is not None and instance is not None:
            found.ap.found.append(replace(instance, score=one["score"]))
    summary = summarise_instances(
        found,
        min_area=min_area,
        ap=ap,
        bootstrap=bootstrap,
        groups=(lambda images: groups(root, images)) if groups else None,
        seed=seed,
        messages=messages,
    )
    if output is not None:
        write_objects(Path(output), found, summary)
    if fail_under is not None:
        require_instances(summary, *fail_under)
    return summary


def summarise_instances(
    found: InstanceCounts,
    *,
    min_area: int = 100,
    ap: bool = False,
    bootstrap: int = 1000,
    groups: Callable[[tuple[str, ...]], list[str]] | None = None,
    seed: int = 0,
    messages: Messages = SILENT,
) -> dict[str, Any]:
    """The scores of what was measured, here or in other runs: see :func:`score_instances`.

    Raises:
        UsageError: average precision of score files that were made without ``--ap``; a wrong ``min_area``.
    """
    _check_area(min_area)
    if ap and found.ap is None:
        raise UsageError("--ap needs score files that were made with --ap: the others hold no masks")
    ordered = found.ordered()
    ordered.scores.min_area = min_area
    names = found.classes.names
    result = ordered.scores.result(
        bootstrap=bootstrap, groups=groups(tuple(ordered.images)) if groups else None, seed=seed
    )
    if found.truth is not None and not result["scored"]:
        messages.warn(f"{found.truth} has no true mask of at least {min_area} pixels for these boxes")
    said: dict[str, Any] = {"name": "masks", **result}
    said["classes"] = {
        "iou": dict(zip(names, said.pop("class_iou"), strict=True)),
        "objects": dict(zip(names, said.pop("class_objects"), strict=True)),
    }
    if ap and ordered.ap is not None:
        said["ap"] = ordered.ap.result() if result["scored"] else None
    if found.failed:
        messages.warn(f"{found.failed} images failed in an earlier stage: their objects have no mask")
    return {
        "source": found.source,
        "kind": found.kind,
        "images": len(found.images),
        "failed": found.failed,
        "definition": f"mean over objects of at least {min_area} pixels of the IoU with the true mask",
        "truth": found.truth,
        "rows": [said],
    }


def find_objects(header: store.Header, root: Path, truth: Path | None, messages: Messages) -> BoxTable | None:
    """The true masks of the boxes of a file; None where none were named and none are there.

    Args:
        header: of the file.
        root: the data folder.
        truth: data folder or box file, as named.

    Raises:
        MissingInputError: the named truth has no boxes.
        BadInputError: images have another size than when the file was made.
    """
    pictures = Dataset(root, header.images, ClassList(()), None, "")
    named = None if truth is None or truth == root else truth
    try:
        table = read_boxes(pictures, named, messages=messages)
    except MissingInputError:
        if truth is not None:
            raise
        messages.warn("no true masks were found: only how masks fit their boxes can be said")
        return None
    wrong = np.flatnonzero((table.sizes != header.sizes).any(1) & header.sizes.all(1) & table.sizes.all(1))
    if len(wrong):
        i = int(wrong[0])
        (h, w), (rows, columns) = table.sizes[i].tolist(), header.sizes[i].tolist()
        raise BadInputError(
            f"'{header.images[i]}' is {w} x {h} pixels now, its masks are for {columns} x {rows}"
        )
    return table


def _objects(
    record: store.Record, image: int, table: BoxTable | None, ap: MaskPrecision | None
) -> list[tuple[int, dict[str, Any], MaskRuns | None]]:
    """Number of the box, what is measured of it, and its mask packed for average precision."""
    columns, rows = record.header.columns, record.header.rows(record.index, "box")
    true: dict[int, np.ndarray] = {}
    if table is not None and any(shape is not None for shape in table.shapes[record.index]):
        objects, masks = table.of(record.index), table.truth(record.index)
        _check_places(record, objects, table.source)
        true = {int(k): m for k, m in zip(objects.ids, masks, strict=True) if m is not None}
        if ap is not None:
            ap.sizes[image] = record.size
            pairs = zip(objects.class_ids.tolist(), masks, strict=True)
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
            one |= {"area": int(truth.sum()), "found": overlap(whole, truth)}
            for name, shape in (("box", hull), ("ellipse", ellipse(mask.shape, inner) == 1)):
                both = (shape & shown).sum()
                one[name] = float(both / max(shape.sum() + truth.sum() - both, 1))
        scored = ap is not None and image in ap.sizes
        found.append((k, one, MaskRuns.of_mask(image, one["class_id"], whole) if scored else None))
    return found


def _check_places(record: store.Record, objects: Boxes, source: str) -> None:
    """Raise BadInputError where a box of the file and the true one of its number do not even touch."""
    columns, rows = record.header.columns, record.header.rows(record.index, "box")
    places = dict(zip(objects.ids.tolist(), objects.xyxy, strict=True))
    for number, box in zip(columns["box_id"][rows].tolist(), columns["box"][rows], strict=True):
        true = places.get(number, box)
        if (np.minimum(box[2:], true[2:]) <= np.maximum(box[:2], true[:2])).any():
            raise BadInputError(
                f"box {number} of '{record.name}' is not where annotation {number} of {source} is: masks "
                "and truth are numbered in different ways"
            )


def _check_area(min_area: int) -> None:
    if min_area < 0:
        raise UsageError(f"--min-area {min_area}: pixels, 0 or more")


def require_instances(summary: dict[str, Any], metric: str, least: float) -> None:
    """Raise BelowThresholdError where a metric of a summary is below what it must be."""
    metric = "instance_miou" if metric == "miou" else metric
    if metric not in METRICS:
        raise UsageError(f"--fail-under {metric}: of masks of boxes there are {', '.join(METRICS)}")
    row = summary["rows"][0]
    value = (row.get("ap") or {}).get(metric) if metric.startswith("ap") else row[metric]
    require_least(summary, f"{metric} of {summary['source']}", value, least)
