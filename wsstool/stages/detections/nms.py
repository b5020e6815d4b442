"""``nms``: thin out detections or proposals, from and to any of their formats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.data.boxes.ground_truth import read_objects
from wsstool.data.detections import Detections, form_to_write, invalid, invalid_error, joined
from wsstool.errors import BadInputError, UsageError
from wsstool.family import setting_texts
from wsstool.nms import NmsResult, run
from wsstool.registry import NMS
from wsstool.stages.detections import files
from wsstool.stages.detections.coco_ids import require_ids, with_ids
from wsstool.stages.detections.proposal_nms import thin_proposals
from wsstool.types import SILENT, Messages


def nms(
    sources: Sequence[str] | None = None,
    *,
    output: Path | None = None,
    method: str = "greedy",
    iou_threshold: float | None = None,
    class_aware: bool = True,
    measure: str = "iou",
    plus_one: bool = False,
    inclusive: bool | None = None,
    masks: bool = False,
    score_threshold: float | None = None,
    top_before: int | None = None,
    top_after: int | None = None,
    settings: Sequence[str] | None = None,
    instances: Path | None = None,
    drop_invalid: bool = False,
    max_failed: int = 0,
    force: bool = False,
    messages: Messages = SILENT,
) -> dict[str, Any]:
    """Suppress duplicates image by image; write what is left in the kind that came in, or as ``output`` says.

    Args:
        sources: a ``box`` or ``proposal`` file, COCO results (JSON), a table (CSV), a folder of YOLO's text
            files; ``-`` or none: any but the folder, on standard input. Several: one a model, for ``fusion``
            and whoever takes the column ``model``.
        output: target: ``.json`` COCO results, ``.csv`` a table, no ending a folder of YOLO's text files,
            else a record file. None: standard output, in the format of the input, with ``instances`` a
            record file.
        method: name in ``registry.NMS``.
        iou_threshold: see the method; None: its default.
        class_aware: boxes of different classes never meet. The column ``group``, where there is one,
            separates too.
        measure, plus_one, inclusive, top_before, top_after: see ``nms.run``.
        masks: compare the run lengths of COCO results in place of their boxes.
        score_threshold: boxes with lower scores are left out first.
        settings: ``NAME=VALUE`` options of the method.
        instances: COCO file with images, sizes and categories: needed to turn COCO results into a record file
            with true names and sizes, and names into the ids of COCO results.
        drop_invalid: leave out boxes with NaN, infinite or inverted numbers; else they are an error.
        max_failed, force: see ``store.create``.
    Returns:
        ``images``, ``boxes`` (or ``proposals``) before and ``kept``, ``dropped`` as invalid.
    Raises:
        BadInputError: input that cannot be read, or invalid boxes.
        UsageError: an option's value, a missing column, formats that do not fit.
    """
    listed: list[str | None] = [None] if not sources else list(sources)
    own = NMS.settings(method, settings or ())
    if iou_threshold is not None:
        own["iou_threshold"] = iou_threshold
    options: dict[str, Any] = {
        "method": method,
        "measure": measure,
        "plus_one": plus_one,
        "inclusive": inclusive,
        "top_before": top_before,
        "top_after": top_after,
        "score_threshold": score_threshold,
        **own,
    }
    params = {
        "method": method,
        "iou_threshold": own.get("iou_threshold"),
        "class_aware": class_aware,
        "measure": measure,
        "plus_one": plus_one,
        "inclusive": inclusive,
        "masks": masks,
        "score_threshold": score_threshold,
        "top_before": top_before,
        "top_after": top_after,
        "drop_invalid": drop_invalid,
        "set": setting_texts({k: v for k, v in own.items() if k != "iou_threshold"}),
    }
    forms = [files.foreign(source) or files.piped(source) for source in listed]
    to_file = output is not None and str(output) != "-"
    target = forms[0] if instances is None else None
    if output is not None and to_file:
        target = form_to_write(output)
    if target == "yolo" and not to_file:
        raise UsageError("YOLO's text files need a folder; name it with -o")
    if instances is not None and set(forms) != {"coco"} and ("coco" in forms or target != "coco"):
        raise UsageError(
            "--instances is for COCO results that are read, or written from another form (-o NAME.json)"
        )
    header: store.Header | None = None
    inputs: list[store.Input] = []
    failed: list[str] = []
    parts: list[Detections] = []
    for source, form in zip(listed, forms, strict=True):
        if form is not None:
            read, origin = files.read_foreign(source, form)
            parts.append(read)
            inputs.append(origin)
            continue
        with store.open_records(source, kinds=("box", "proposal"), command="nms") as reader:
            if reader.header.payload == "proposal":
                if len(listed) > 1:
                    raise UsageError("proposals are thinned one file at a time")
                if target in ("coco", "csv"):
                    raise UsageError(f"'{output}': proposals are written as a record file (.h5) only")
                return thin_proposals(
                    reader, source, params, options, output=output, max_failed=max_failed, force=force,
                    messages=messages,
                )  # fmt: skip
            parts.append(files.of_reader(reader))
            header = header or reader.header
            inputs.append(reader.header.as_input(path=source))
            done = reader.tail["status"] == store.DONE
            failed += [name for name, fine in zip(reader.header.images, done, strict=True) if not fine]
    found = parts[0] if len(parts) == 1 else joined(parts, [str(source) for source in listed])
    if instances is not None:
        objects = read_objects(instances)
        if target != "coco":
            found = files.named(found, objects)
        elif forms[0] != "coco":
            found = with_ids(found, objects, forms[0])
        inputs.append(store.Input.of_file(instances, role="instances"))
    elif target == "coco" and forms[0] != "coco":
        require_ids(found, forms[0])
    dropped = invalid(found)
    if dropped.any() and not drop_invalid:
        raise invalid_error(found, dropped, "--drop-invalid leaves such boxes out")
    if dropped.any():
        messages.warn(f"invalid boxes left out: {int(dropped.sum())}")
        found = found.take(np.flatnonzero(~dropped))
    thinned, cluster, original = _thinned(found, options, class_aware=class_aware, masks=masks)
    outcome = f"{len(thinned)} of {len(found)} boxes are left (images: {len(found.images)})"
    said = {
        "images": len(found.images),
        "boxes": len(found),
        "kept": len(thinned),
        "dropped": int(dropped.sum()),
    }
    if target is not None:
        files.write_foreign(target, _in_source_terms(thinned, target), output)
        messages.say(outcome)
        return said
    if not found.images:
        raise BadInputError("a record file lists images, and there is no detection; --instances names them")
    if found.sizes is None and header is None:
        messages.warn(
            "image sizes are not known: those that hold all boxes are written (--instances names them)"
        )
        thinned = replace(thinned, sizes=files.guessed_sizes(found))
    more = {"original_score": original, "cluster_size": cluster}
    key = _write(thinned, more, params, inputs, header, failed, output, max_failed, force, messages)
    messages.say(outcome)
    return {**said, "key": key, "failed": failed}


def _thinned(
    found: Detections, options: dict[str, Any], *, class_aware: bool, masks: bool
) -> tuple[Detections, np.ndarray, np.ndarray]:
    """What is left, image by image; how many inputs went into each; its original score."""
    columns: dict[str, Any] = {
        k: v for k, v in found.columns.items() if k in ("localisation", "std", "density", "model")
    }
    group = found.image
    if "group" in found.columns:
        both = np.stack([found.image, found.columns["group"].astype(np.int64)], 1)
        group = np.unique(both, axis=0, return_inverse=True)[1].reshape(-1)
    try:
        if not masks:
            boxes = found.boxes if found.fractions or found.boxes.shape[1] == 5 else _as_narrow(found.boxes)
            labels = found.classes if class_aware else None
            result = run(
                boxes, found.scores.astype(boxes.dtype), labels=labels, groups=group, **columns, **options
            )
            return _rest(found, result, np.arange(len(found)))
        if not found.masks:
            raise UsageError("--masks needs COCO results with a 'segmentation' of run lengths in every entry")
        parts = []
        for k in range(len(found.images)):
            own = (
                np.flatnonzero(group == k)
                if "group" not in found.columns
                else np.flatnonzero(found.image == k)
            )
            labels = found.classes[own] if class_aware else None
            some: dict[str, Any] = {name: column[own] for name, column in columns.items()}
            shapes = [found.masks[i] for i in own]
            if shapes:
                result = run(shapes, found.scores[own], labels=labels, groups=group[own], **some, **options)
                parts.append(_rest(found, result, own, moves=False))
    except ValueError as error:
        raise UsageError(str(error)) from error
    if not parts:
        return found, np.zeros(0), np.zeros(0)
    kept = [part[0] for part in parts]
    whole = replace(
        found.take(np.zeros(0, np.int64)),
        image=np.concatenate([one.image for one in kept]),
        boxes=np.concatenate([one.boxes for one in kept]),
        scores=np.concatenate([one.scores for one in kept]),
        classes=np.concatenate([one.classes for one in kept]),
        rows=tuple(row for one in kept for row in one.rows),
        masks=tuple(mask for one in kept for mask in one.masks),
        columns={name: np.concatenate([one.columns[name] for one in kept]) for name in found.columns},
    )
    return whole, np.concatenate([part[1] for part in parts]), np.concatenate([part[2] for part in parts])


def _as_narrow(boxes: np.ndarray) -> np.ndarray:
    """float32 where nothing is lost: what record files hold, and half the time."""
    narrow = boxes.astype(np.float32)
    return narrow if np.array_equal(narrow, boxes) else boxes


def _rest(
    found: Detections, result: NmsResult, own: np.ndarray, moves: bool = True
) -> tuple[Detections, np.ndarray, np.ndarray]:
    keep = own[result.keep]
    sizes = np.bincount(result.cluster[result.cluster >= 0], minlength=len(keep)).astype(np.float64)
    order = np.argsort(found.image[keep], kind="stable")
    left = found.take(keep)
    # Untouched numbers stay as they were, digit by digit.
    same = result.scores == result.original_scores
    scores = np.where(same, left.scores, result.scores)
    boxes = left.boxes
    if moves and boxes.shape[1] == 4:
        near = np.isclose(result.boxes, boxes, rtol=1e-6, atol=1e-6).all(1)
        boxes = np.where(near[:, None], boxes, result.boxes)
    left = replace(left, scores=scores, boxes=boxes).take(order)
    return left, sizes[order], found.scores[keep][order]


def _in_source_terms(found: Detections, form: str) -> Detections:
    """Rows as they were read go into a file of their own format only."""
    readable = {"coco": "image_id", "csv": "image", "yolo": ""}[form]
    return found if found.rows and readable in found.rows[0] else replace(found, rows=())


def _write(
    found: Detections,
    more: dict[str, np.ndarray],
    params: dict[str, Any],
    inputs: list[store.Input],
    header: store.Header | None,
    failed: list[str],
    output: Path | None,
    max_failed: int,
    force: bool,
    messages: Messages,
) -> str:
    names, rows = files.box_table(found, more)
    counts = np.bincount(found.image, minlength=len(found.images))
    shapes = np.stack([counts, np.full(len(counts), len(names)), np.ones(len(counts), np.int64)], 1)
    made = store.new_header(
        "box",
        stage="nms",
        params=params,
        inputs=inputs,
        images=found.images,
        sizes=found.sizes if found.sizes is not None else np.ones((len(counts), 2)),
        shapes=shapes,
        classes=header.classes if header is not None else files.class_list(found),
        labels=header.labels if header is not None and len(header) == len(counts) else None,
        image_root=header.image_root if header is not None else "",
        attributes={"columns": names},
    )
    ends = np.concatenate([[0], np.cumsum(counts)])
    lost = set(failed)
    with store.create(made, output, force=force, max_failed=max_failed, messages=messages) as writer:
        for k in range(writer.start, len(counts)):
            if found.images[k] in lost and not counts[k]:
                writer.fail("failed in an earlier stage")
            else:
                writer.write(rows[ends[k] : ends[k + 1]])
    return made.key
