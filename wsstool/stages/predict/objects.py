"""Masks of boxes by a trained contour network or segmenter, streamed to a ``selection`` file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from wsstool.errors import BadInputError, WsstoolError
from wsstool.family import setting_texts
from wsstool.regions import box_mask
from wsstool.selection.confidence import quality
from wsstool.selection.fillers.simple import ellipse
from wsstool.stages.objects.box_maps import open_maps
from wsstool.stages.objects.maps import BoxMaps
from wsstool.stages.options.predict import ObjectMaskOptions
from wsstool.stages.records import Payload, create, write_all
from wsstool.stages.refiners import Refiner, find_refiner
from wsstool.types import Messages

DOUBT = 0.02
"""Margin that lets a refiner overrule the map: its confidence is capped at 1 - DOUBT."""


def predict_objects(options: ObjectMaskOptions, messages: Messages) -> dict[str, Any]:
    """Write the mask of every box: the pixels of the box on which the map reaches ``threshold``.

    Returns:
        ``images``, ``objects``, ``fallbacks``, ``dropped`` (boxes, by reason), ``failed`` and ``key``.

    Raises:
        BadInputError: weights of another network, or of one that draws outlines. Others: see the parts.

    Notes:
        Where no pixel of a box reaches the threshold, the ellipse in the box stands in, flagged as a
        fallback, with score 0.
    """
    refiner, own = find_refiner(options.refine, options.settings, messages, of_probabilities=True)
    opened = open_maps(options, messages)
    if opened.mapper.meta.get("draws") == "outline":
        raise BadInputError(
            f"'{options.weights}' predicts outlines; make masks from them with 'wsstool contour' and "
            "'wsstool select'"
        )
    header = opened.header(
        "selection",
        "predict",
        threshold=options.threshold,
        refine=options.refine,
        set=setting_texts(own) or None,
    )

    def masks(start: int) -> Iterator[Payload | WsstoolError]:
        for found in opened.maps(start, options.workers):
            yield found if isinstance(found, WsstoolError) else _masks(found, options.threshold, refiner)

    with create(header, options, messages) as writer:
        write_all(writer, masks(writer.start), messages, "objects")
        if fallbacks := int(writer.tail["fallback"].sum()):
            messages.say(
                f"{fallbacks} of {len(writer.tail['fallback'])} objects got an ellipse, because no pixel "
                "reached the threshold"
            )
    return opened.summary(writer, fallbacks=fallbacks)


def _masks(found: BoxMaps, threshold: float, refiner: Refiner | None) -> Payload:
    """Yield the masks of one image with their quality."""
    maps = found.maps
    if refiner is not None:
        maps = [
            refined(refiner, one, box, pixels)
            for one, box, pixels in zip(maps, found.boxes, found.pixels, strict=True)
        ]
    made = [object_mask(one, box, threshold) for one, box in zip(maps, found.boxes, strict=True)]
    return Payload(
        np.concatenate([np.zeros(0, np.uint8), *(mask.reshape(-1) for mask, _, _ in made)]),
        {
            "score": np.array([score for _, score, _ in made], np.float32),
            "fallback": np.array([fallback for _, _, fallback in made], np.uint8),
        },
    )


def refined(refiner: Refiner, one: np.ndarray, box: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(h, w) map in [0, 1] after a refiner has seen it as two classes, the object and the rest.

    Args:
        refiner: (2, h, w) scores and the image -> (2, h, w) scores.
        one: (h, w) map; outside the box it is taken for rest, and nothing is taken for certain.
        box: (4,) xyxy in pixels of the window.
        pixels: (h, w, 3) uint8, the same window of the image.
    """
    scores = np.clip(np.where(box_mask(box, one.shape), one, 0.0), DOUBT, 1 - DOUBT)
    rest, own = refiner(np.stack([1 - scores, scores]).astype(np.float32), pixels)
    return own / np.maximum(rest + own, 1e-6)


def object_mask(one: np.ndarray, box: np.ndarray, threshold: float) -> tuple[np.ndarray, float, bool]:
    """Return mask, quality in [0, 1] and whether a fallback made it.

    Args:
        one: (h, w) map of a window.
        box: (4,) xyxy in pixels of the window.
        threshold: from this value on a pixel is object.
    """
    inside = box_mask(box, one.shape)
    mask = ((one >= threshold) & inside).astype(np.uint8)
    if not mask.any():
        return ellipse((one.shape[0], one.shape[1]), box), 0.0, True
    return mask, quality(mask, box, np.where(inside, one, 0.0)), False
