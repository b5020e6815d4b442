"""``nms``: suppress duplicates among detections or proposals, from and to any of their formats."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from wsstool import store
from wsstool.data.boxes.ground_truth import read_objects
from wsstool.data.detections import (
    Detections,
    concatenated,
    form_to_write,
    invalid,
    invalid_error,
    joined,
)
from wsstool.errors import BadInputError, UsageError
from wsstool.family import setting_texts
from wsstool.nms import NmsResult, run
from wsstool.nms.shapes.boxes import LOWEST
from wsstool.options import takes
from wsstool.registry import NMS
from wsstool.stages.detections import files
from wsstool.stages.detections.coco_ids import require_ids, with_ids
from wsstool.stages.detections.proposal_nms import suppress_proposals
from wsstool.stages.options.nms import NmsOptions
from wsstool.stages.records import Payload, create, write_all
from wsstool.types import SILENT, Messages

_RUN_OPTIONS = (
    "method",
    "measure",
    "plus_one",
    "inclusive",
    "score_threshold",
    "top_before",
    "top_after",
)
"""The options that ``wsstool.nms.run`` has as well."""


@takes(NmsOptions)
def nms(options: NmsOptions, *, messages: Messages = SILENT) -> dict[str, Any]:
    """Suppress duplicates image by image; write the rest in the format of the input, or as ``output`` says.

    Each of several sources is one model, for ``fusion`` and the methods that take the column ``model``. Boxes
    of different classes never compete unless ``class_aware`` is off; nor do those of different groups, where
    there is a column ``group``.

    Returns:
        ``images``, ``boxes`` (or ``proposals``) before and ``kept``, ``dropped`` as invalid; for record
        files also ``key`` and ``failed``.

    Raises:
        BadInputError: input that cannot be read, or invalid boxes.
        UsageError: an option's value, a missing column, formats that do not fit.
    """
    sources: list[str | None] = [*options.sources] if options.sources else [None]
    own = NMS.settings(options.method, options.settings or ())
    threshold = _threshold(options, own.pop("iou_threshold", None))
    run_options = {name: getattr(options, name) for name in _RUN_OPTIONS} | own
    run_options["iou_threshold"] = threshold
    params = options.key_params(iou_threshold=threshold, settings=setting_texts(own))
    forms = [files.foreign(source) or files.piped(source) for source in sources]
    target = _target(options, forms)
    with ExitStack() as stack:
        readers = [
            None
            if form
            else stack.enter_context(store.open_records(one, kinds=("box", "proposal"), command="nms"))
            for one, form in zip(sources, forms, strict=True)
        ]
        proposals = next((one for one in readers if one and one.header.payload == "proposal"), None)
        if proposals:
            _check_proposals(options, sources, target)
            return suppress_proposals(proposals, sources[0], params, run_options, options, messages)
        source = _read(sources, forms, readers)
    source = _with_ids(source, options, forms[0], target)
    found, dropped = _valid(source.found, options.drop_invalid, messages)
    left = _suppress(found, run_options, class_aware=options.class_aware, masks=options.masks)
    summary = {
        "images": len(found.images),
        "boxes": len(found),
        "kept": len(left.found),
        "dropped": dropped,
    }
    if target is None:
        summary |= _write_records(replace(source, found=found), left, params, options, messages)
    else:
        files.write_foreign(target, _in_source_terms(left.found, target), options.output)
    messages.say(f"kept {len(left.found)} of {len(found)} boxes in {len(found.images)} images")
    return summary


def _threshold(options: NmsOptions, own: float | None) -> float | None:
    """The overlap threshold, from ``--iou-threshold`` or ``own``, the one of ``--set``.

    Raises:
        UsageError: both are given, or it lies outside the range of the measure.
    """
    if own is not None and options.iou_threshold is not None:
        raise UsageError("--iou-threshold and --set iou_threshold are one option: give only one of them")
    value = options.iou_threshold if own is None else own
    measure = "diou" if options.method == "diou" else options.measure  # the method subtracts the distance
    if value is not None and not LOWEST[measure] <= value <= 1:
        raise UsageError(
            f"--iou-threshold {value:g}: give a number in [{LOWEST[measure]:g}, 1], the range of {measure}"
        )
    return value


def _target(options: NmsOptions, forms: Sequence[str | None]) -> str | None:
    """The foreign format to write; None: a record file.

    Raises:
        UsageError: no folder for YOLO, or ``instances`` where they have no use.
    """
    instances, target = options.instances, forms[0] if options.instances is None else None
    to_file = options.output is not None and str(options.output) != "-"
    if options.output is not None and to_file:
        target = form_to_write(options.output)
    if target == "yolo" and not to_file:
        raise UsageError("YOLO text files are written to a folder; name one with -o")
    if instances is not None and set(forms) != {"coco"} and ("coco" in forms or target != "coco"):
        raise UsageError(
            "--instances applies only when COCO results are read, or written from another format (-o "
            "NAME.json)"
        )
    return target


def _check_proposals(options: NmsOptions, sources: Sequence[str | None], target: str | None) -> None:
    if len(sources) > 1:
        raise UsageError("for proposals, nms reads one file at a time")
    if target in ("coco", "csv"):
        raise UsageError(f"cannot write proposals to '{options.output}'; name a record file (.h5)")


@dataclass(frozen=True)
class _Source:
    """Detections that were read.

    Attributes:
        found: the detections of all sources.
        inputs: for the key and the history.
        header: of the first record file, if there is one.
        failed: images that had failed in the stage before.
    """

    found: Detections
    inputs: list[store.Input]
    header: store.Header | None
    failed: frozenset[str]


def _read(
    sources: Sequence[str | None], forms: Sequence[str | None], readers: Sequence[store.Reader | None]
) -> _Source:
    parts: list[Detections] = []
    inputs: list[store.Input] = []
    failed: list[str] = []
    for source, form, reader in zip(sources, forms, readers, strict=True):
        if form:
            part, origin = files.read_foreign(source, form)
        else:
            assert reader is not None
            part, origin = files.of_reader(reader), reader.header.as_input(path=source)
            done = reader.tail["status"] == store.DONE
            failed += [name for name, fine in zip(reader.header.images, done, strict=True) if not fine]
        parts.append(part)
        inputs.append(origin)
    found = parts[0] if len(parts) == 1 else joined(parts, [str(source) for source in sources])
    header = next((reader.header for reader in readers if reader), None)
    return _Source(found, inputs, header, frozenset(failed))


def _with_ids(source: _Source, options: NmsOptions, form: str | None, target: str | None) -> _Source:
    """The detections with the names or the ids that the output needs, by ``--instances``.

    Raises:
        UsageError: COCO results are to be written, and nothing says which ids images and classes have.
    """
    if options.instances is None:
        if target == "coco" and form != "coco":
            require_ids(source.found, form)
        return source
    found, objects = source.found, read_objects(options.instances)
    if target != "coco":
        found = files.named(found, objects)
    elif form != "coco":
        found = with_ids(found, objects, form)
    used = store.Input.of_file(options.instances, role="instances")
    return replace(source, found=found, inputs=[*source.inputs, used])


def _valid(found: Detections, drop_invalid: bool, messages: Messages) -> tuple[Detections, int]:
    """The valid detections, and how many were invalid.

    Raises:
        BadInputError: some are invalid, and they are not to be dropped.
    """
    bad = invalid(found)
    count = int(bad.sum())
    if count and not drop_invalid:
        raise invalid_error(found, bad, "--drop-invalid leaves out such boxes")
    if count:
        messages.warn(f"left out {count} invalid boxes")
        found = found.take(np.flatnonzero(~bad))
    return found, count


class _Suppressed(NamedTuple):
    """The detections that are left, image by image.

    Attributes:
        found: N detections.
        cluster_size: (N,) how many detections went into each.
        original_score: (N,) its score before.
    """

    found: Detections
    cluster_size: np.ndarray
    original_score: np.ndarray


def _suppress(
    found: Detections, run_options: dict[str, Any], *, class_aware: bool, masks: bool
) -> _Suppressed:
    """Run the method on the boxes, or on the masks image by image.

    Raises:
        UsageError: a value that the method refuses, or no masks.
    """
    arrays: dict[str, Any] = {
        k: v for k, v in found.columns.items() if k in ("localisation", "std", "density", "model")
    }
    arrays["groups"] = _groups(found)
    if class_aware:
        arrays["labels"] = found.classes
    try:
        if masks:
            return _suppress_masks(found, arrays, run_options)
        boxes = found.boxes if found.fractions or found.boxes.shape[1] == 5 else _as_narrow(found.boxes)
        result = run(boxes, found.scores.astype(boxes.dtype), **arrays, **run_options)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return _kept(found, result, np.arange(len(found)))


def _suppress_masks(
    found: Detections, arrays: dict[str, np.ndarray], run_options: dict[str, Any]
) -> _Suppressed:
    if not found.masks:
        raise UsageError("--masks needs COCO results in which every entry has a run-length 'segmentation'")
    parts = []
    for k in np.unique(found.image):
        own = np.flatnonzero(found.image == k)
        some: dict[str, Any] = {name: array[own] for name, array in arrays.items()}
        result = run([found.masks[i] for i in own], found.scores[own], **some, **run_options)
        parts.append(_kept(found, result, own, moves=False))
    left, sizes, scores = zip(*parts, strict=True)
    return _Suppressed(concatenated(left), np.concatenate(sizes), np.concatenate(scores))


def _groups(found: Detections) -> np.ndarray:
    """Return (N,) ids of what must not compete: images, and groups within them if there is such a column."""
    if "group" not in found.columns:
        return found.image
    both = np.stack([found.image, found.columns["group"].astype(np.int64)], 1)
    return np.unique(both, axis=0, return_inverse=True)[1].reshape(-1)


def _as_narrow(boxes: np.ndarray) -> np.ndarray:
    """Convert to float32 if lossless: the type of record files, in half the time."""
    narrow = boxes.astype(np.float32)
    return narrow if np.array_equal(narrow, boxes) else boxes


def _kept(found: Detections, result: NmsResult, own: np.ndarray, moves: bool = True) -> _Suppressed:
    """What a result leaves of the detections ``own``; boxes and scores that it did not touch stay exact."""
    keep = own[result.keep]
    sizes = np.bincount(result.cluster[result.cluster >= 0], minlength=len(keep)).astype(np.float64)
    order = np.argsort(found.image[keep], kind="stable")
    left = found.take(keep)
    same = result.scores == result.original_scores
    scores = np.where(same, left.scores, result.scores)
    boxes = left.boxes
    if moves and boxes.shape[1] == 4:
        near = np.isclose(result.boxes, boxes, rtol=1e-6, atol=1e-6).all(1)
        boxes = np.where(near[:, None], boxes, result.boxes)
    left = replace(left, scores=scores, boxes=boxes).take(order)
    return _Suppressed(left, sizes[order], found.scores[keep][order])


def _in_source_terms(found: Detections, form: str) -> Detections:
    """Rows as they were read go into a file of their own format only."""
    readable = {"coco": "image_id", "csv": "image", "yolo": ""}[form]
    return found if found.rows and readable in found.rows[0] else replace(found, rows=())


def _write_records(
    source: _Source, left: _Suppressed, params: dict[str, Any], options: NmsOptions, messages: Messages
) -> dict[str, Any]:
    """Write a ``box`` file; returns its ``key`` and the images that ``failed``."""
    found, header = left.found, source.header
    if not found.images:
        raise BadInputError(
            "there are no detections, so the images are unknown; use --instances to name a COCO file that "
            "lists them"
        )
    sizes = found.sizes
    if sizes is None and header is None:
        messages.warn(
            "image sizes are unknown and are estimated from the boxes; for exact sizes, name a COCO "
            "file with --instances"
        )
        sizes = files.guessed_sizes(source.found)
    more = {"original_score": left.original_score, "cluster_size": left.cluster_size}
    names, rows = files.box_table(found, more)
    counts = np.bincount(found.image, minlength=len(found.images))
    made = store.new_header(
        "box",
        stage="nms",
        params=params,
        inputs=source.inputs,
        images=found.images,
        sizes=sizes if sizes is not None else np.ones((len(counts), 2)),
        shapes=np.stack([counts, np.full(len(counts), len(names)), np.ones(len(counts), np.int64)], 1),
        classes=header.classes if header is not None else files.class_list(found),
        labels=header.labels if header is not None and len(header) == len(counts) else None,
        image_root=header.image_root if header is not None else "",
        attributes={"columns": names},
    )
    ends = np.concatenate([[0], np.cumsum(counts)])
    with create(made, options, messages) as writer:
        results = (
            BadInputError("failed in an earlier stage")
            if found.images[k] in source.failed and not counts[k]
            else Payload(rows[ends[k] : ends[k + 1]])
            for k in range(writer.start, len(counts))
        )
        write_all(writer, results, messages, "images")
    return {"key": made.key, "failed": sorted(source.failed)}
