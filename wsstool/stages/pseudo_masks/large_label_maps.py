"""Label maps of large images from their class maps, window by window."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from wsstool import store
from wsstool.errors import BadInputError, WsstoolError
from wsstool.masks.method import Method
from wsstool.models.windows.plan import Span, Windows, windows_of
from wsstool.stages.inputs.windows import LargeImage, scale_of_params
from wsstool.stages.pseudo_masks.guides import Guides
from wsstool.stages.records import Payload


def label_large_image(
    record: store.Record,
    windows: Windows,
    *,
    methods: Sequence[Method],
    layers: Sequence[int],
    folder: Path | None,
    guides: Guides,
) -> Payload:
    """Return the (L, H, W) label maps of an image whose scores do not fit into memory at its full size.

    Scores are scaled over the whole image, then enlarged and refined window by window. Labels are not
    blended: half of what two windows share comes from each.

    Args:
        record: of a ``cam`` file.
        windows: the plan.
        methods: of each layer.
        layers: numbers of the layers.
        folder: of the images; None: no pixels are needed.
        guides: what refiners read.

    Raises:
        BadInputError, MissingInputError: the image cannot be read, its maps are not finite, or a refiner
            needs the whole image.
    """
    if guides.regions is not None:
        raise BadInputError("too large for --refine regions, whose proposals are of whole images")
    blocks, ids, labels = record.maps, record.class_ids, record.header.labels
    tags = None if labels is None else np.flatnonzero(labels[record.index])
    prepared = [m.prepared(blocks[i], ids, record.size) for m, i in zip(methods, layers, strict=True)]
    found = store.SpooledArray((len(layers), *record.size), "uint8")
    at = scale_of_params(record.header.params)
    image = None if folder is None else LargeImage(folder / record.name, (*record.size, 3), at)
    with nullcontext() if image is None else image.opened() as picture:
        for rows, columns in windows_of(windows, record.size):
            part = rows.first, columns.first, rows.end - rows.first, columns.end - columns.first
            pixels = None if picture is None else picture.region(*part)
            beside = guides.of(record.name, pixels)
            if isinstance(beside, WsstoolError):
                raise beside
            for k, (method, maps) in enumerate(zip(methods, prepared, strict=True)):
                labels_here = method.label_part(maps, part, pixels, tags, beside)
                top, left = _own(rows), _own(columns)
                own = labels_here[_inside(rows, top), _inside(columns, left)]
                found.put(own[None], (k, top.start, left.start))
    return Payload(found)


def _own(span: Span) -> slice:
    """The pixels whose labels come from a window: up to the middle of what it shares."""
    return slice(span.begin + span.lead // 2, span.stop - (span.trail - span.trail // 2))


def _inside(span: Span, own: slice) -> slice:
    return slice(own.start - span.first, own.stop - span.first)
