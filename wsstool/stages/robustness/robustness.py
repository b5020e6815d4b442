"""``robustness``: score a network on corrupted images, or show the scores of a finished run."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import fields
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from wsstool import store
from wsstool.atomic import temporary_folder
from wsstool.data.listing import is_image_name
from wsstool.errors import MissingInputError, SomeFailedError, UsageError, WsstoolError
from wsstool.options import spelled, takes
from wsstool.parallel import map_in_threads
from wsstool.stages.inputs.corruption import frost_inputs
from wsstool.stages.inputs.image_batches import read_sized_image
from wsstool.stages.options.scoring import RobustnessOptions
from wsstool.stages.records import Payload, write_all
from wsstool.stages.robustness.conditions import Condition, chosen_corruptions, conditions_of
from wsstool.stages.robustness.subjects import Subject, open_subject
from wsstool.stages.robustness.summary import summarise
from wsstool.stages.robustness.views import Views
from wsstool.types import SILENT, Messages

DISPLAYED = ("data", "max_failed")
"""Options that a finished score file takes."""


@takes(RobustnessOptions)
def robustness(options: RobustnessOptions, *, messages: Messages = SILENT) -> dict[str, Any]:
    """Score a classifier or a segmenter, clean and under every corruption and severity.

    Each image is one record of the score file, with all conditions in it. The network sees the conditions of
    one image together, so that the numbers depend neither on the order of the images nor on shards.

    Returns:
        ``clean``, ``robust``, ``retention``, ``mce`` and the scores by category, corruption and severity; see
        ``summary.summarise``.

    Raises:
        SomeFailedError: more than ``max_failed`` images failed; its ``summary`` is what would be returned.
        UsageError: no such corruption, options that do not fit the network, or none of a finished score file.
            Others: see ``open_subject``.
    """
    if not Path(options.data).exists():
        raise MissingInputError(f"there is no data folder or score file '{options.data}'")
    if Path(options.data).is_file() and not is_image_name(Path(options.data).name):
        _refuse_all(options)
        found = summarise(options.data)
    else:
        if str(options.output) == "-":
            raise UsageError("-o - : the scores are printed; name a file")
        with nullcontext() if options.output else temporary_folder() as folder:
            path = options.output or Path(str(folder), "scores.h5")
            if not _measure(options, Path(path), messages):
                messages.say(f"shard {options.shard} has no images")
                return {"source": str(options.output or options.data), "images": 0, "failed": []}
            found = summarise(path, source=options.output or options.data)
    if len(found["failed"]) > options.max_failed:
        raise SomeFailedError(
            f"{len(found['failed'])} of {found['images'] + len(found['failed'])} images failed and were not "
            f"scored; --max-failed allows {options.max_failed}",
            found,
        )
    return found


def _refuse_all(options: RobustnessOptions) -> None:
    for one in fields(RobustnessOptions):
        if one.name not in DISPLAYED and getattr(options, one.name) != one.default:
            name = spelled(options, one.name)
            raise UsageError(f"{name} needs a data folder; the scores of '{options.data}' are only shown")


def _measure(options: RobustnessOptions, path: Path, messages: Messages) -> int:
    """Write the score file, or what is left of it; return its number of images."""
    names = chosen_corruptions(options, messages)
    conditions, views = conditions_of(names, options), Views.of(options)
    subject = open_subject(options, views, messages)
    header = _header(options, names, conditions, views, subject)
    with store.create(header, path, force=options.force, max_failed=sys.maxsize, messages=messages) as writer:
        results = _results(subject, views, conditions, options, writer.start)
        write_all(writer, results, messages, "images")
    return len(header)


def _header(
    options: RobustnessOptions,
    names: Sequence[str],
    conditions: Sequence[Condition],
    views: Views,
    subject: Subject,
) -> store.Header:
    dataset, network = subject.dataset, subject.network
    severities = sorted({one.severity for one in conditions[1:]})
    params = options.key_params(
        corruption=list(names),
        severity=severities if options.unused("severity_set") or options.severity_set == "all" else None,
        score={True: "combined", False: "class", None: None}[subject.with_tokens],
        averaged=subject.averaged,
    )
    return store.new_header(
        "score",
        stage="robustness",
        params=params,
        inputs=[*subject.inputs, *frost_inputs(list(names), views.textures)],
        images=dataset.names,
        sizes=subject.sizes,
        shapes=np.tile([len(conditions), *network.shape], (len(dataset), 1)),
        classes=subject.classes,
        labels=subject.labels,
        image_root=dataset.root,
        attributes={"conditions": [str(one) for one in conditions], "measure": network.measure},
        dtype=network.dtype,
    )


class _Scene(NamedTuple):
    """An image with its ground-truth mask and one of its conditions."""

    image: np.ndarray
    mask: np.ndarray | None
    name: str
    condition: Condition


def _results(
    subject: Subject,
    views: Views,
    conditions: Sequence[Condition],
    options: RobustnessOptions,
    start: int,
) -> Iterator[Payload | WsstoolError]:
    """Score image by image, from number ``start`` on; threads corrupt images ahead of the network."""
    dataset, sizes = subject.dataset, subject.sizes

    def scenes() -> Iterator[_Scene | WsstoolError]:
        for i in range(start, len(dataset)):
            image = read_sized_image(dataset.path(i), sizes[i])
            if isinstance(image, WsstoolError):
                yield image
                continue
            try:
                mask = subject.mask(i, tuple(sizes[i].tolist()))
            except WsstoolError as error:
                yield error
                continue
            for condition in conditions:
                yield _Scene(image, mask, dataset.names[i], condition)

    def view(scene: _Scene | WsstoolError) -> tuple[np.ndarray, np.ndarray | None] | WsstoolError:
        if isinstance(scene, WsstoolError):
            return scene
        image, mask, name, condition = scene
        moved = None if mask is None else views.truth(mask, name, condition)
        return views.image(image, name, condition), moved

    made = map_in_threads(view, scenes(), options.workers)
    for first in made:
        if isinstance(first, WsstoolError):
            yield first
            continue
        yield _scored(subject, chain([first], islice(made, len(conditions) - 1)), options.batch_size)


def _scored(subject: Subject, views: Iterator[Any], batch_size: int) -> Payload | WsstoolError:
    """Score all conditions of one image, or return why the network cannot: it may be too small."""
    found: list[np.ndarray] = []
    error: WsstoolError | None = None
    while batch := list(islice(views, batch_size)):
        pixels, truths = zip(*batch, strict=True)
        try:
            found += [] if error else [subject.network(list(pixels), truths)]
        except WsstoolError as raised:
            error = raised
    return error or Payload(np.concatenate(found))
