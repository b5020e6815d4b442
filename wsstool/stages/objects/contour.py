"""The map of every boxed object by a trained contour network, streamed to a ``contour`` file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.errors import WsstoolError
from wsstool.selection.confidence import quality
from wsstool.stages.networks.contour_network import mapped, open_maps
from wsstool.types import SILENT, Messages

HOT = 0.5
"""From this value on a pixel of a map belongs to what the network draws."""


def contour(
    data: Path,
    *,
    weights: Path,
    output: Path | None = None,
    boxes: Path | None = None,
    box_format: str = "auto",
    margin: Sequence[float] | None = None,
    flip: bool = False,
    split: str | None = None,
    class_list: Path | None = None,
    shard: str | None = None,
    batch_size: int = 16,
    workers: int = 2,
    device: str = "auto",
    max_failed: int = 0,
    force: bool = False,
    messages: Messages = SILENT,
) -> dict[str, Any]:
    """Make the map of every box and write them as a ``contour`` file.

    Args:
        data: data folder.
        weights: a contour network that ``train-contour`` wrote, or a segmenter: see ``class_maps``.
        output: target; None: standard output.
        boxes, box_format: see ``data.boxes.table.read_boxes``.
        margin: of the windows, shares of the box's side; the maps of several are averaged, on the window of
            the largest. None: 0.25. Without effect on a network that sees the whole image.
        flip: average with the mirrored windows.
        split, class_list, shard: which images, see ``data.open_dataset``.
        batch_size: windows that go through the network together, of one image.
        workers: threads that decode images.
        device, max_failed, force: see ``runtime.pick_device`` and ``store.create``.

    Returns:
        ``images``, ``objects``, ``dropped`` (boxes, by reason), ``failed`` and ``key``.

    Raises:
        BadInputError: weights of another network or for other classes. Others: see the parts.

    Notes:
        The score of a map is how well the box of its hot pixels fits the given one, times how sure it is of
        them, see ``selection.confidence.quality``.
    """
    opened = open_maps(
        data,
        weights,
        boxes=boxes,
        box_format=box_format,
        margin=margin,
        flip=flip,
        split=split,
        class_list=class_list,
        shard=shard,
        batch_size=batch_size,
        device=device,
        messages=messages,
    )
    header = opened.header("contour", "contour")
    guide = "contour" if opened.mapper.meta.get("draws") == "outline" else "region"
    with (
        store.create(header, output, force=force, max_failed=max_failed, messages=messages) as writer,
        messages.track(len(header) - writer.start, "object maps") as advance,
    ):
        for found in mapped(opened, writer.start, workers):
            if isinstance(found, WsstoolError):
                writer.fail(str(found))
            else:
                flat = [one.reshape(-1) for one in found.maps]
                scores = [
                    quality((one >= HOT).astype(np.uint8), box, one, guide)
                    for one, box in zip(found.maps, found.boxes, strict=True)
                ]
                writer.write(
                    np.concatenate(flat) if flat else np.zeros(0), score=np.array(scores, np.float32)
                )
            advance()
    return opened.told(writer)
