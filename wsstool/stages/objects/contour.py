"""Map every boxed object with a trained network, streamed to a ``contour`` file."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from wsstool.errors import WsstoolError
from wsstool.options import takes
from wsstool.selection.confidence import quality
from wsstool.stages.objects.box_maps import open_contour_maps
from wsstool.stages.objects.maps import BoxMaps
from wsstool.stages.options.objects import ContourOptions
from wsstool.stages.records import Payload, create, write_all
from wsstool.types import SILENT, Messages

FOREGROUND = 0.5
"""Map value from which a pixel belongs to the object or outline."""


@takes(ContourOptions)
def contour(options: ContourOptions, *, messages: Messages = SILENT) -> dict[str, Any]:
    """Map the object in every box, or of every sentence, and write the maps as a ``contour`` file.

    The weights are those of a contour network, of a segmenter (see ``networks.segmenter_on_boxes``), or of a
    network that reads sentences.

    Returns:
        ``images``, ``objects``, ``dropped`` (boxes, by reason), ``failed`` and ``key``; also ``sentences``.

    Raises:
        BadInputError: weights of another network or for other classes. Others: see the parts.

    Notes:
        The score of a map is how well the box of its foreground pixels fits the given one, times how sure it
        is of them, see ``selection.confidence.quality``.
    """
    opened = open_contour_maps(options, messages)
    header = opened.header("contour", "contour")
    payload = partial(_payload, guide="contour" if opened.mapper.meta.get("draws") == "outline" else "region")
    with create(header, options, messages) as writer:
        results = map(payload, opened.maps(writer.start, options.workers))
        write_all(writer, results, messages, "object maps")
    return opened.summary(writer)


def _payload(found: BoxMaps | WsstoolError, guide: str) -> Payload | WsstoolError:
    """The maps of one image with their scores, or why there are none."""
    if isinstance(found, WsstoolError):
        return found
    scores = [
        quality((one >= FOREGROUND).astype(np.uint8), box, one, guide)
        for one, box in zip(found.maps, found.boxes, strict=True)
    ]
    flat = [one.reshape(-1) for one in found.maps]
    return Payload(np.concatenate(flat) if flat else np.zeros(0), {"score": np.array(scores, np.float32)})
