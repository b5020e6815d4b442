"""Label maps from the masks of boxes: the ``selection`` half of ``pseudo-mask``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.errors import BadInputError, WsstoolError
from wsstool.masks.instances import merge_instances
from wsstool.parallel import map_in_threads
from wsstool.regions import pixel_bounds
from wsstool.types import SILENT, ClassList, Messages

_MOST = 255  #: label maps hold ids below this


def merge_objects(
    header: store.Header,
    records: Callable[[int], Iterator[store.Record]],
    scores: np.ndarray,
    source: object,
    *,
    output: Path | None = None,
    overlap: str = "ignore",
    min_score: float = 0.0,
    images: Path | None = None,
    workers: int = 2,
    max_failed: int = 0,
    force: bool = False,
    messages: Messages = SILENT,
) -> dict[str, Any]:
    """Write one label map an image: the class of every object's box where its mask is, background elsewhere.

    Args:
        header: of the ``selection`` file.
        records: f(start) -> its records from there on.
        scores: (B,) quality of every mask.
        source: its path.
        output, overlap, min_score, images, workers, max_failed, force: as in ``pseudo_mask``.

    Returns:
        As ``pseudo_mask``, with ``weak``: objects below ``min_score``.

    Raises:
        BadInputError: more classes than a label map can hold.

    Notes:
        A class list without a background gets one in front, and all ids move up by one.
    """
    classes, shift = _with_background(header.classes)
    merge_instances((1, 1), (), (), (), (), (), overlap=overlap, min_score=min_score)  # are they legal?
    names, box_class = header.columns["box_offset"], header.columns["box_class"].astype(np.int64) + shift
    labels = np.zeros((len(header), len(classes)), np.uint8)
    labels[np.repeat(np.arange(len(header)), np.diff(names)), box_class] = 1
    out = store.new_header(
        "mask",
        stage="pseudo-mask",
        params={"overlap": overlap, "min_score": min_score},
        inputs=[header.as_input(path=source)],
        images=header.images,
        sizes=header.sizes,
        shapes=np.concatenate([np.ones((len(header), 1), int), header.sizes], 1),
        classes=classes,
        labels=labels,
        image_root=images or header.image_root,
        attributes={"layers": ["objects"]},
    )
    make = partial(
        _label_map, classes=box_class, scores=scores, background=classes.background, overlap=overlap,
        min_score=min_score,
    )  # fmt: skip
    weak = int((scores < min_score).sum())
    if weak:
        messages.say(f"{weak} of {len(scores)} objects are below {min_score:g}: their boxes take no part")
    with (
        store.create(out, output, force=force, max_failed=max_failed, messages=messages) as writer,
        messages.track(len(out) - writer.start, "label maps") as advance,
    ):
        for found in map_in_threads(make, records(writer.start), workers):
            if isinstance(found, WsstoolError):
                writer.fail(str(found))
            else:
                writer.write(found[None])
            advance()
    done = {"images": len(out), "failed": writer.failed, "key": out.key}
    return {**done, "background_threshold": [], "weak": weak}


def _with_background(classes: ClassList) -> tuple[ClassList, int]:
    """The class list of the label maps, and what is added to the ids of the boxes."""
    if classes.background >= 0:
        found, shift = classes, 0
    else:
        palette = ((0, 0, 0), *classes.palette) if classes.palette else ()
        found, shift = ClassList(("background", *classes.names), 0, palette), 1
    if len(found) > _MOST:
        raise BadInputError(f"{len(found)} classes with the background; a label map holds {_MOST}")
    return found, shift


def _label_map(
    record: store.Record,
    *,
    classes: np.ndarray,
    scores: np.ndarray,
    background: int,
    overlap: str,
    min_score: float,
) -> np.ndarray | WsstoolError:
    """(H, W) uint8, or why there is none."""
    if record.failed:
        return BadInputError("had failed in the stage before")
    rows = record.header.rows(record.index, "box")
    return merge_instances(
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
