"""The masks of objects or sentences in the formats of annotation tools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from wsstool import store
from wsstool.data.geometry.instances import AnnotatedImage, Instance, extent
from wsstool.errors import UsageError
from wsstool.registry import EXPORTS
from wsstool.stages.exchange.file_names import names_for_others
from wsstool.types import Messages, tracked


def write_instances(
    reader: store.Reader,
    target: Path,
    *,
    format: str,
    settings: Sequence[str],
    like: Path | None,
    score_threshold: float,
    flat: bool,
    messages: Messages,
) -> int:
    """Write the instances; returns how many. Arguments and errors: see ``export``.

    Scores follow the masks in a file, so the masks are kept, compressed, until the end.
    """
    own = EXPORTS.settings(format, settings)
    if like is not None and not EXPORTS.takes(format, "like"):
        raise UsageError(f"--like is for the COCO formats, not for {format}")
    header = reader.header
    names = names_for_others(header.images, flat)
    records = tracked(reader.records(), messages, len(header), "images")
    images = [AnnotatedImage(names[r.index], r.size, tuple(_instances(r))) for r in records]
    below = empty = unsure = 0
    kept = []
    for i, image in enumerate(images):
        if image.size == (0, 0):  # its header could not be read
            continue
        good = []
        for instance in _scored(image.instances, reader, i):
            unsure += instance.has_unsure
            if instance.is_empty:
                empty += 1
            elif instance.score < score_threshold:
                below += 1
            else:
                good.append(instance)
        kept.append(replace(image, instances=tuple(good)))
    if empty:
        messages.warn(f"left out {empty} empty masks")
    if below:
        messages.say(f"left out {below} masks with a score below {score_threshold:g}")
    if unsure and format != "voc":
        messages.say(
            f"{unsure} masks contain ignored pixels, which {format} cannot represent; they are left out of "
            "the masks"
        )
    EXPORTS.load(format)(kept, target, header.classes, *([like] if like is not None else []), **own)
    return sum(len(image.instances) for image in kept)


def _instances(record: store.Record) -> list[Instance]:
    """The objects of an image, their scores still unknown; none where the image failed."""
    if record.failed:
        return []
    columns, rows = record.header.columns, record.header.rows(record.index, "box")
    names = record.header.classes.names
    sentences = record.header.sentences
    return [
        Instance.of(
            names[int(class_id)],
            mask,
            _around(mask, window) if np.isnan(box).any() else box,
            int(number),
            window,
            0.0,
            "" if sentences is None else sentences[row],
        )
        for row, mask, box, class_id, number, window in zip(
            range(rows.start, rows.stop),
            record.windows,
            columns["box"][rows],
            columns["box_class"][rows],
            columns["box_id"][rows],
            record.header.windows[rows],
            strict=True,
        )
    ]


def _around(mask: np.ndarray, window: np.ndarray) -> Sequence[float]:
    """Return the box around a mask, in pixels of the image; of an empty mask that of its window."""
    tight = extent(mask == 1)
    return window.tolist() if tight is None else (np.array(tight) + np.tile(window[:2], 2)).tolist()


def _scored(instances: Sequence[Instance], reader: store.Reader, i: int) -> tuple[Instance, ...]:
    if not instances:
        return ()
    if "score" not in reader.tail:  # masks of sentences in a mask file
        return tuple(one.with_score(1.0) for one in instances)
    scores = np.nan_to_num(reader.tail["score"][reader.header.rows(i, "box")])
    return tuple(one.with_score(value) for one, value in zip(instances, scores, strict=True))
