"""The masks of objects or sentences in the formats of annotation tools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wsstool import store
from wsstool.data.geometry.instances import AnnotatedImage, Instance, extent
from wsstool.errors import UsageError
from wsstool.registry import EXPORTS
from wsstool.stages.exchange.file_names import names_for_others
from wsstool.stages.exchange.regions import annotated_regions
from wsstool.types import Messages, tracked


def write_instances(
    reader: store.Reader,
    target: Path,
    *,
    format: str,
    settings: Sequence[str],
    like: Path | None,
    flat: bool,
    scores: ScoreRange,
    layer: str | None,
    min_area: int,
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
    if header.payload == "mask" and header.sentences is None:
        found = annotated_regions(reader, names, layer, min_area, messages)
        images = list(tracked(found, messages, len(header), "images"))
    else:
        records = tracked(reader.records(), messages, len(header), "images")
        images = [AnnotatedImage(names[r.index], r.size, tuple(_instances(r))) for r in records]
        images = [
            replace(image, instances=_scored(image.instances, reader, i)) for i, image in enumerate(images)
        ]
    kept = _kept(images, scores, messages)
    if format != "voc":
        _say_ignored(kept, format, messages)
    EXPORTS.load(format)(kept, target, header.classes, *([like] if like is not None else []), **own)
    return sum(len(image.instances) for image in kept)


class ScoreRange(NamedTuple):
    """The scores of the objects to export: at least ``low``, less than ``high`` if that is given."""

    low: float = 0.0
    high: float | None = None

    def __contains__(self, score: object) -> bool:
        assert isinstance(score, float)
        return self.low <= score and (self.high is None or score < self.high)


def _kept(images: Sequence[AnnotatedImage], scores: ScoreRange, messages: Messages) -> list[AnnotatedImage]:
    """Return the readable images with those of their objects that have pixels and a score in the range.

    With an upper limit, images without such an object are left out: the output is a list of what to look at.
    """
    kept, empty, below, above, bare = [], 0, 0, 0, 0
    for image in images:
        if image.size == (0, 0):  # its header could not be read
            continue
        good = [one for one in image.instances if not one.is_empty]
        empty += len(image.instances) - len(good)
        below += sum(one.score < scores.low for one in good)
        chosen = tuple(one for one in good if one.score in scores)
        above += sum(one.score >= scores.low for one in good) - len(chosen)
        if scores.high is not None and not chosen:
            bare += 1
            continue
        kept.append(replace(image, instances=chosen))
    if empty:
        messages.warn(f"left out {empty} empty masks")
    if below:
        messages.say(f"left out {below} masks with a score below {scores.low:g}")
    if scores.high is not None:
        messages.say(
            f"left out {above} masks with a score of {scores.high:g} or more, and {bare} images that have no "
            "other masks"
        )
    return kept


def _say_ignored(images: Sequence[AnnotatedImage], format: str, messages: Messages) -> None:
    unsure = sum(one.has_unsure for image in images for one in image.instances)
    void = sum(bool(image.packed_void) for image in images)
    if unsure:
        messages.say(
            f"{unsure} masks contain ignored pixels, which {format} cannot represent; they are left out of "
            "the masks"
        )
    if void:
        messages.say(
            f"{void} images contain ignored pixels, which {format} cannot represent; they belong to no region"
        )


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
