"""Label maps from the masks of boxes: the ``selection`` half of ``pseudo-mask``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from wsstool import store
from wsstool.errors import BadInputError, WsstoolError
from wsstool.masks.instances import merge_instances
from wsstool.parallel import map_in_threads
from wsstool.regions import pixel_bounds
from wsstool.stages.options.pseudo_mask import ObjectOptions
from wsstool.stages.records import Payload, create, write_all
from wsstool.types import ClassList, Messages

_MOST = 255  #: label maps hold ids below this


def label_objects(
    header: store.Header,
    records: Callable[[int], Iterator[store.Record]],
    scores: np.ndarray,
    options: ObjectOptions,
    messages: Messages,
) -> dict[str, Any]:
    """Write one label map per image: the class of every object where its mask is, background elsewhere.

    Args:
        header: of the ``selection`` file.
        records: f(start) -> its records from there on.
        scores: (B,) quality of every mask.
        options, messages: as in ``pseudo_mask``.

    Returns:
        As ``pseudo_mask``, with ``weak``: objects below ``min_score``.

    Raises:
        BadInputError: more classes than a label map can hold.

    Notes:
        A class list without a background gets one in front, and all ids move up by one.
    """
    classes, shift = _with_background(header.classes)
    box_class = header.columns["box_class"].astype(np.int64) + shift
    labels = np.zeros((len(header), len(classes)), np.uint8)
    labels[np.repeat(np.arange(len(header)), np.diff(header.columns["box_offset"])), box_class] = 1
    out = store.new_header(
        "mask",
        stage="pseudo-mask",
        params=options.key_params(),
        inputs=[header.as_input(path=options.source)],
        images=header.images,
        sizes=header.sizes,
        shapes=np.concatenate([np.ones((len(header), 1), int), header.sizes], 1),
        classes=classes,
        labels=labels,
        image_root=options.images or header.image_root,
        attributes={"layers": ["objects"]},
    )
    label_map = partial(
        _label_map,
        classes=box_class,
        scores=scores,
        background=classes.background,
        overlap=options.overlap,
        min_score=options.min_score,
    )
    weak = int((scores < options.min_score).sum())
    if weak:
        messages.say(
            f"the boxes of {weak} of {len(scores)} objects with a score below {options.min_score:g} are "
            "ignored"
        )
    with create(out, options, messages) as writer:
        found = map_in_threads(label_map, records(writer.start), options.workers)
        write_all(writer, found, messages, "label maps")
    return {
        "images": len(out),
        "failed": writer.failed,
        "key": out.key,
        "background_threshold": [],
        "weak": weak,
    }


def _with_background(classes: ClassList) -> tuple[ClassList, int]:
    """Return the class list of the label maps and the offset of the box ids."""
    if classes.background >= 0:
        found, shift = classes, 0
    else:
        palette = ((0, 0, 0), *classes.palette) if classes.palette else ()
        found, shift = ClassList(("background", *classes.names), 0, palette), 1
    if len(found) > _MOST:
        raise BadInputError(
            f"a label map holds at most {_MOST} classes, but there are {len(found)} with the background"
        )
    return found, shift


def _label_map(
    record: store.Record,
    *,
    classes: np.ndarray,
    scores: np.ndarray,
    background: int,
    overlap: str,
    min_score: float,
) -> Payload | WsstoolError:
    """(1, H, W) uint8, or why there is none."""
    if record.failed:
        return BadInputError("failed in an earlier stage")
    rows = record.header.rows(record.index, "box")
    labels = merge_instances(
        record.size,
        record.header.columns["window"][rows].tolist(),
        record.windows,
        classes[rows].tolist(),
        scores[rows].tolist(),
        [pixel_bounds(box, record.size) for box in record.header.columns["box"][rows]],
        background=background,
        overlap=overlap,
        min_score=min_score,
    )
    return Payload(labels[None])
