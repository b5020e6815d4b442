"""One mask per sentence from the masks of boxes: ``pseudo-mask`` for a ``selection`` with sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from wsstool import store
from wsstool.errors import BadInputError, WsstoolError
from wsstool.masks.instances import merge_instances
from wsstool.options import idle_options
from wsstool.parallel import map_in_threads
from wsstool.regions import pixel_bounds
from wsstool.stages.objects.columns import BoxColumns
from wsstool.stages.options.pseudo_mask import ObjectOptions
from wsstool.stages.records import Payload, create, write_all
from wsstool.types import Messages


def mask_sentences(
    header: store.Header,
    records: Callable[[int], Iterator[store.Record]],
    scores: np.ndarray,
    options: ObjectOptions,
    messages: Messages,
) -> dict[str, Any]:
    """Write one mask of the whole image per sentence: 1 object, 0 not, 255 uncertain.

    Args:
        header: of the ``selection`` file.
        records: f(start) -> its records from there on.
        scores: (B,) quality of every mask; the box of one below ``min_score`` is 255.
        options, messages: as in ``pseudo_mask``. Sentences have a mask each, so that none overlap.

    Returns:
        As ``pseudo_mask``, with ``weak``: sentences whose mask is below ``min_score``.
    """
    if options.overlap != ObjectOptions.overlap:
        for text in idle_options(ObjectOptions, {"overlap": "with sentences, which have a mask each"}):
            messages.warn(text)
    entries = BoxColumns.of_header(header)
    out = store.new_header(
        "mask",
        stage="pseudo-mask",
        params=options.key_params(),
        inputs=[header.as_input(path=options.source)],
        image_root=options.images or header.image_root,
        **entries.mask_fields(),
    )
    weak = int((scores < options.min_score).sum())
    if weak:
        messages.say(
            f"the boxes of {weak} of {len(scores)} sentences whose mask has a score below "
            f"{options.min_score:g} are ignored"
        )
    make = partial(_masks, boxes=entries.given_boxes, scores=scores, min_score=options.min_score)
    with create(out, options, messages) as writer:
        found = map_in_threads(make, records(writer.start), options.workers)
        write_all(writer, found, messages, "masks of sentences")
    return {
        "images": len(out),
        "failed": writer.failed,
        "key": out.key,
        "background_threshold": [],
        "weak": weak,
    }


def _masks(
    record: store.Record, *, boxes: np.ndarray, scores: np.ndarray, min_score: float
) -> Payload | WsstoolError:
    """(S, H, W) uint8, or why there are none."""
    if record.failed:
        return BadInputError("failed in an earlier stage")
    rows = record.header.rows(record.index, "box")
    windows = record.header.columns["window"][rows].tolist()
    masks = [
        merge_instances(
            record.size, [window], [mask], [1], [score], [pixel_bounds(box, record.size)], min_score=min_score
        )
        for window, mask, score, box in zip(
            windows, record.windows, scores[rows].tolist(), boxes[rows], strict=True
        )
    ]
    return Payload(np.stack(masks) if masks else np.zeros((0, *record.size), np.uint8))
