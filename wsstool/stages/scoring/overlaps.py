"""Overlaps of detections with ground-truth objects, by boxes or by masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from wsstool.data.boxes.ground_truth import GroundTruthObjects
from wsstool.data.detections import Detections
from wsstool.data.geometry import rle
from wsstool.data.geometry.shapes import shape_mask
from wsstool.errors import BadInputError
from wsstool.metrics.box_overlap import box_areas, box_overlaps
from wsstool.metrics.mask_overlap import run_areas, run_overlaps

ObjectOverlaps = Callable[[int, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""(image, D places of detections, G places of objects) -> (D,) and (G,) areas and (D, G) overlaps: IoU, or
with a crowd the share of the detection that lies in it."""


class BoxOverlaps:
    """By boxes; ``boxes`` (N, 4) xyxy in pixels, of the detections."""

    def __init__(self, boxes: np.ndarray, objects: GroundTruthObjects) -> None:
        self.boxes, self.objects = boxes, objects

    def __call__(
        self, image: int, found: np.ndarray, true: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        boxes, theirs = self.boxes[found], self.objects.boxes[true]
        overlaps = box_overlaps(boxes, theirs, self.objects.crowd[true])
        return box_areas(boxes), self.objects.areas[true], overlaps


class MaskOverlaps:
    """By masks, as run lengths: those of one class of one image are in memory at a time.

    An area is that of the mask, that of an object the annotated one where there is one, also where results
    have boxes besides. (pycocotools sorts such results into small, medium and large by their boxes.)
    """

    def __init__(self, found: Detections, objects: GroundTruthObjects) -> None:
        self.found, self.objects = found, objects

    def __call__(
        self, image: int, found: np.ndarray, true: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        size = self._size(image, found, true)
        name = self.objects.names[image]
        masks = [_runs(self.found.rows[k]["segmentation"], size, f"a detection in '{name}'") for k in found]
        theirs = [_runs(self.objects.masks[k], size, f"an object in '{name}'") for k in true]
        measured, annotated = self.objects.measured[true], self.objects.areas[true]
        true_areas = np.where(measured, annotated, run_areas(theirs))
        return run_areas(masks), true_areas, run_overlaps(masks, theirs, self.objects.crowd[true])

    def _size(self, image: int, found: np.ndarray, true: np.ndarray) -> tuple[int, int]:
        """Rows and columns of the image: as the truth says, else as run lengths do."""
        rows, columns = self.objects.sizes[image].tolist()
        if rows > 0 and columns > 0:
            return rows, columns
        theirs = [self.objects.masks[k] for k in true]
        for shape in [*theirs, *(self.found.rows[k]["segmentation"] for k in found)]:
            if isinstance(shape, Mapping):
                return rle.lengths(shape)[0]
        raise BadInputError(f"the ground truth does not state the size of '{self.objects.names[image]}'")


def _runs(shape: Any, size: tuple[int, int], what: str) -> np.ndarray:
    """(R,) run lengths of a ``segmentation`` entry."""
    try:
        if not isinstance(shape, Mapping):
            shape = rle.encode(shape_mask(shape, size))
        own, runs = rle.lengths(shape)
    except BadInputError as error:
        raise BadInputError(f"the mask of {what}: {error}") from None
    if own != size:
        raise BadInputError(
            f"the mask of {what} has {own[1]} x {own[0]} pixels, but the image has {size[1]} x {size[0]}"
        )
    return runs
