"""Instance masks of new boxes by a trained contour network, streamed to a ``selection`` file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.errors import BadInputError, UsageError, WsstoolError
from wsstool.regions import pixel_bounds
from wsstool.selection.confidence import quality
from wsstool.selection.fillers.simple import ellipse
from wsstool.stages.objects.box_maps import open_maps
from wsstool.stages.predict.label_maps import Refiner, find_refiner
from wsstool.types import SILENT, Messages

DOUBT = 0.02
"""What a refiner may still turn over: a map is never surer than 1 - DOUBT for it."""


def predict_objects(
    data: Path,
    *,
    weights: Path,
    output: Path | None = None,
    boxes: Path | None = None,
    box_format: str = "auto",
    margin: Sequence[float] | None = None,
    threshold: float = 0.5,
    flip: bool = False,
    refine: str | None = None,
    settings: Sequence[str] | None = None,
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
    """Mask every box: where the map reaches ``threshold``, inside the box.

    Args:
        data: data folder.
        weights: a contour network that fills its objects, or a segmenter, whose class of the box counts.
        threshold: from this value on a pixel is object, (0, 1).
        refine: name in ``registry.REFINERS``, applied to each map and its window of the picture; None: the
            map as it is.
        settings: ``NAME=VALUE`` options of the refiner; ``crf`` takes the scores as probabilities.
        output, boxes, box_format, margin, flip, split, class_list, shard, batch_size, workers, device,
            max_failed, force: see ``stages.objects.contour.contour``.

    Returns:
        ``images``, ``objects``, ``fallbacks``, ``dropped`` (boxes, by reason), ``failed`` and ``key``.

    Raises:
        BadInputError: weights of another network, or of one that draws outlines. Others: see the parts.

    Notes:
        Where no pixel of a box reaches the threshold, the ellipse in the box stands in, flagged as a
        fallback, with score 0.
    """
    if not 0 < threshold < 1:
        raise UsageError(f"--threshold {threshold:g}: a value between 0 and 1")
    if settings and not refine:
        raise UsageError("--set names an option of a refiner; choose one with --refine")
    refiner, own = find_refiner(refine, settings or (), messages)
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
    if opened.mapper.meta.get("draws") == "outline":
        raise BadInputError(
            f"'{weights}' draws outlines, which 'wsstool contour' and 'wsstool select' turn into masks"
        )
    header = opened.header(
        "selection",
        "predict",
        threshold=threshold,
        refine=refine,
        set=[f"{k}={v}" for k, v in own.items()] or None,
    )
    with (
        store.create(header, output, force=force, max_failed=max_failed, messages=messages) as writer,
        messages.track(len(header) - writer.start, "objects") as advance,
    ):
        for found in opened.maps(writer.start, workers):
            if isinstance(found, WsstoolError):
                writer.fail(str(found))
            else:
                maps = found.maps
                if refiner is not None:
                    maps = [
                        refined(refiner, one, box, pixels)
                        for one, box, pixels in zip(maps, found.boxes, found.pixels, strict=True)
                    ]
                made = [object_mask(one, box, threshold) for one, box in zip(maps, found.boxes, strict=True)]
                flat = [mask.reshape(-1) for mask, _, _ in made]
                writer.write(
                    np.concatenate(flat) if flat else np.zeros(0, np.uint8),
                    score=np.array([score for _, score, _ in made], np.float32),
                    fallback=np.array([fallback for _, _, fallback in made], np.uint8),
                )
            advance()
        if fallbacks := int(writer.tail["fallback"].sum()):
            messages.say(f"the ellipse stands in for {fallbacks} of {len(writer.tail['fallback'])} objects")
    return opened.summary(writer, fallbacks=fallbacks)


def refined(refiner: Refiner, one: np.ndarray, box: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(h, w) map in [0, 1] after a refiner has seen it as two classes, the object and the rest.

    Args:
        refiner: (2, h, w) scores and the picture -> (2, h, w) scores.
        one: (h, w) map; outside the box it is taken for rest, and nothing is taken for certain.
        box: (4,) xyxy in pixels of the window.
        pixels: (h, w, 3) uint8, the same window of the picture.
    """
    scores = np.clip(np.where(_inside(one, box), one, 0.0), DOUBT, 1 - DOUBT)
    rest, own = refiner(np.stack([1 - scores, scores]).astype(np.float32), pixels)
    return own / np.maximum(rest + own, 1e-6)


def _inside(one: np.ndarray, box: np.ndarray) -> np.ndarray:
    inside = np.zeros(one.shape, bool)
    x0, y0, x1, y1 = pixel_bounds(box, (one.shape[0], one.shape[1]))
    inside[y0:y1, x0:x1] = True
    return inside


def object_mask(one: np.ndarray, box: np.ndarray, threshold: float) -> tuple[np.ndarray, float, bool]:
    """Mask, quality in [0, 1] and whether a fallback made it.

    Args:
        one: (h, w) map of a window.
        box: (4,) xyxy in pixels of the window.
        threshold: from this value on a pixel is object.
    """
    inside = _inside(one, box)
    mask = ((one >= threshold) & inside).astype(np.uint8)
    if not mask.any():
        return ellipse((one.shape[0], one.shape[1]), box), 0.0, True
    return mask, quality(mask, box, np.where(inside, one, 0.0)), False
