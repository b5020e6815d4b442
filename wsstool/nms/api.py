"""``wsstool.nms.run``: every NMS method behind one signature, for numpy arrays and tensors on any device."""

from __future__ import annotations

from typing import Any

import numpy as np

from wsstool.argument_types import checked
from wsstool.nms import inputs
from wsstool.nms.candidates import Regions, falling
from wsstool.nms.result import NmsResult
from wsstool.nms.shapes.boxes import MEASURES
from wsstool.registry import NMS


@checked
def run(
    boxes: Any,
    scores: Any,
    *,
    method: str = "greedy",
    iou_threshold: float | None = None,
    labels: Any = None,
    groups: Any = None,
    measure: str = "iou",
    plus_one: bool = False,
    inclusive: bool | None = None,
    score_threshold: float | None = None,
    top_before: int | None = None,
    top_after: int | None = None,
    localisation: Any = None,
    std: Any = None,
    density: Any = None,
    model: Any = None,
    invalid: str = "error",
    **own: Any,
) -> NmsResult:
    """Suppress duplicate boxes or masks with any of the methods.

    Args:
        boxes: (N, 4) x1, y1, x2, y2 in pixels; (N, 5) centre x, centre y, width, height, angle in radians
            (clockwise on screen); (N, H, W) masks; a list of N COCO run lengths; or ``Proposals``. float32
            input is processed in float32, everything else in float64; negative coordinates are allowed.
        scores: (N,).
        method: name in ``registry.NMS``.
        iou_threshold: see the method; None: its default.
        labels: (N,) class ids, any integers: only boxes of the same class are compared. None: class-agnostic.
        groups: (N,) a further partition, such as image numbers: only boxes of the same group are compared;
            ``top_after`` counts per group.
        measure: ``iou``, ``giou``, ``diou`` or ``ios`` (intersection over the smaller area).
        plus_one: x2 and y2 are inclusive, so every width and height is one larger.
        inclusive: whether an overlap equal to the threshold suppresses. None: no, except in ``adaptive`` and
            for the vote of ``voting``, as in their papers.
        score_threshold: boxes with lower scores are discarded first; None: keep all.
        top_before: use only this many best boxes per class and group, at least 0.
        top_after: return at most this many boxes per group, at least 0.
        localisation: (N,), std: (N, 4), density: (N,), model: (N,): columns for the methods that need them.
        invalid: ``error`` or ``drop``: how to treat NaN or infinite values, x2 < x1, y2 < y1.
        own: further options of the method, see ``wsstool methods``.
    Returns:
        ``NmsResult`` with arrays like ``boxes``: numpy, or tensors on the same device. Results do not depend
        on the device nor on the number of threads: all arithmetic runs on the CPU, in one order.
    Raises:
        ArgumentError: arrays of inconsistent shapes, invalid values, a missing column, an option's value.
        UsageError: no such method.
    Notes:
        Boxes without area overlap nothing. N = 0 gives an empty result.
    Example:
        >>> found = run([[0, 0, 10, 10], [0, 0, 10, 8], [20, 20, 30, 30]], [0.9, 0.8, 0.7], iou_threshold=0.5)
        >>> found.keep, found.cluster
        (array([0, 2]), array([0, 0, 1]))
    """
    rule = NMS.load(method)
    if measure not in MEASURES:
        raise ValueError(f"measure '{measure}': give one of {', '.join(MEASURES)}")
    if invalid not in ("error", "drop"):
        raise ValueError(f"invalid '{invalid}': give error or drop")
    if iou_threshold is not None:
        if not np.isfinite(iou_threshold):
            raise ValueError(f"iou_threshold {iou_threshold}: give a finite number")
        own["iou_threshold"] = iou_threshold
    own = NMS.keywords(method, own)
    if score_threshold is not None and np.isnan(score_threshold):
        raise ValueError(f"score_threshold {score_threshold}: give a number")
    shapes, stand_in, sound, moves = inputs.shapes_of(boxes, measure, plus_one)
    n = len(stand_in)
    values = inputs.as_floats(scores, "scores").reshape(-1)
    columns = _columns(n, localisation=localisation, std=std, density=density, model=model)
    kinds = _kinds(n, labels=labels, groups=groups)
    if len(values) != n:
        raise ValueError(f"{len(values)} scores for {n} boxes")
    sound = sound & np.isfinite(values)
    for column in columns.values():
        finite = np.isfinite(column)
        sound &= finite.all(1) if column.ndim == 2 else finite
    if invalid == "error" and not sound.all():
        raise ValueError(_complaint(stand_in, values, sound))
    group, n_groups = inputs.codes(list(kinds.values()), n)
    regions = Regions(shapes, stand_in, group, n_groups, columns, inclusive, moves)
    if score_threshold is not None:
        sound &= values >= score_threshold
    chosen = np.flatnonzero(sound)
    if top_before is not None:
        chosen = np.sort(_best(values, chosen, group, n_groups, top_before, "top_before"))
    whole = len(chosen) == n
    found = rule(regions if whole else regions.take(chosen), values if whole else values[chosen], **own)
    if top_after is not None:
        images, n_images = inputs.codes([kinds["groups"]] if "groups" in kinds else [], n)
        kept = chosen[found.keep]
        ranks = _first(images[kept], n_images, top_after, "top_after")
        found = _some(found, ranks)
    return _as_given(found, chosen, n, boxes)


def _columns(n: int, **given: Any) -> dict[str, np.ndarray]:
    found = {}
    for name, value in given.items():
        if value is not None:
            column = inputs.as_floats(value, name)
            wanted = (n, 4) if name == "std" else (n,)
            if column.shape != wanted and not (n == 0 and column.size == 0):
                raise ValueError(f"{name} of shape {column.shape}: expected {wanted}")
            found[name] = column.reshape(wanted)
    return found


def _kinds(n: int, **given: Any) -> dict[str, np.ndarray]:
    found = {}
    for name, value in given.items():
        if value is not None:
            column = inputs.as_numpy(value, name).reshape(-1)
            if len(column) != n:
                raise ValueError(f"{len(column)} {name} for {n} boxes")
            if column.dtype.kind == "f" and not (column == np.floor(column)).all():
                raise ValueError(f"{name} must be integers")
            found[name] = column
    return found


def _complaint(boxes: np.ndarray, scores: np.ndarray, sound: np.ndarray) -> str:
    k = int(np.flatnonzero(~sound)[0])
    row = boxes[k] if boxes.ndim == 2 else np.zeros(0)
    if not np.isfinite(scores[k]):
        what = f"the score {scores[k]}"
    elif not np.isfinite(row).all():
        what = f"the coordinates {row.tolist()}"
    elif len(row) == 4 and (row[2] < row[0] or row[3] < row[1]):
        what = f"inverted corners {row.tolist()}"
    elif len(row) == 5 and (row[2] < 0 or row[3] < 0):
        what = f"a negative size {row.tolist()}"
    else:
        what = "a column that is not finite"
    return f"box {k} has {what}; fix it, or drop such boxes (invalid='drop')"


def _best(
    scores: np.ndarray, chosen: np.ndarray, group: np.ndarray, n_groups: int, limit: int, name: str
) -> np.ndarray:
    order = chosen[falling(scores[chosen])]
    return order[_first(group[order], n_groups, limit, name)]


def _first(group: np.ndarray, n_groups: int, limit: int, name: str) -> np.ndarray:
    """Return the indices of the first ``limit`` items of each group, in order."""
    if limit < 0:
        raise ValueError(f"{name} {limit}: give 0 or more")
    order = np.argsort(group, kind="stable")
    sizes = np.bincount(group, minlength=n_groups)
    rank = np.arange(len(group)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.sort(order[rank < limit])


def _some(found: NmsResult, rows: np.ndarray) -> NmsResult:
    def cluster() -> np.ndarray:
        row = np.full(len(found) + 1, -1)
        row[rows] = np.arange(len(rows))
        return row[found.cluster]

    return NmsResult(
        found.keep[rows], found.boxes[rows], found.scores[rows], cluster, found.original_scores[rows]
    )


def _as_given(found: NmsResult, chosen: np.ndarray, n: int, example: Any) -> NmsResult:
    """Map the result to the indices and the array library of the input."""

    def cluster() -> Any:
        whole = np.full(n, -1)
        whole[chosen] = found.cluster
        return inputs.like(whole, example)

    return NmsResult(
        inputs.like(chosen[found.keep], example),
        inputs.like(found.boxes, example),
        inputs.like(found.scores, example),
        cluster,
        inputs.like(found.original_scores, example),
    )
