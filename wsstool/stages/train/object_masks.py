"""Training masks of single objects: ground truth of the box file, or masks of a ``selection`` file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wsstool import store
from wsstool.data.boxes.table import BoxTable
from wsstool.data.dataset import Dataset
from wsstool.errors import BadInputError
from wsstool.metrics.box_overlap import box_overlaps
from wsstool.regions import Boxes
from wsstool.training.images.object_images import Object
from wsstool.types import IGNORE

_SAME = 0.5
"""IoU from which a box and a mask of another id may be the same object."""


class GroundTruthMasks:
    """Object -> (H,W) uint8 ground-truth mask, all 255 without one; picklable."""

    def __init__(self, table: BoxTable) -> None:
        self.table = table

    def __call__(self, one: Object) -> np.ndarray:
        mask = self.table.mask(one.image, one.number)
        if mask is None:
            return np.full(tuple(self.table.sizes[one.image]), IGNORE, np.uint8)
        return mask.astype(np.uint8)

    def known(self, objects: Sequence[Object]) -> list[Object]:
        """The objects that have a mask."""
        return [one for one in objects if self.table.shapes[one.image][one.number] is not None]

    def lacking(self, objects: Sequence[Object]) -> str:
        """Say how many objects have no mask."""
        return f"{len(objects) - len(self.known(objects))} objects without a mask"


class SelectedMasks:
    """Object -> (H,W) uint8 mask of a ``selection`` file, 0 outside its window; picklable.

    Args:
        source: the file.
        dataset: the images that number the objects.
        boxes: the boxes of each image, see ``matches``.
        min_score: masks with a lower quality score count as missing.

    Raises:
        BadInputError: another kind of file, or one with none of these images.
    """

    def __init__(self, source: Path, dataset: Dataset, boxes: Sequence[Boxes], min_score: float) -> None:
        self.records = store.open_random(source, kinds=("selection",), command="train-contour")
        self.source, self.min_score = source, min_score
        header = self.records.header
        place, _ = dataset.placed(header.images, f"'{source}'")
        number = {name: k for k, name in enumerate(header.images)}
        record = {i: number[name] for name, i in place.items()}
        self.record_of = [record.get(i, -1) for i in range(len(dataset))]
        self.sizes = dataset.sizes()
        if max(self.record_of, default=-1) < 0:
            raise BadInputError(f"'{source}' has no masks for the training images")
        self._window_of = [
            matches(some, *self._windows(i)) if i >= 0 else np.full(len(some), -1)
            for i, some in zip(self.record_of, boxes, strict=True)
        ]

    def _windows(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Boxes and ids of the masks of a record."""
        rows, columns = self.records.header.rows(i, "box"), self.records.header.columns
        return columns["box"][rows], columns["box_id"][rows]

    @property
    def input(self) -> store.Input:
        return self.records.header.as_input("selection", path=self.source)

    def _place(self, one: Object) -> tuple[int, int] | None:
        """Return record and window number of an object; None without a mask of sufficient quality."""
        i, k = self.record_of[one.image], int(self._window_of[one.image][one.number])
        if k < 0 or self.records.tail["status"][i] != store.DONE:
            return None
        score = self.records.tail["score"][self.records.header.rows(i, "box")][k]
        return None if score < self.min_score else (i, k)

    def __call__(self, one: Object) -> np.ndarray:
        size = tuple(self.sizes[one.image].tolist())
        place = self._place(one)
        if place is None:
            return np.full(size, IGNORE, np.uint8)
        i, k = place
        record = self.records[i]
        x0, y0, x1, y1 = record.header.columns["window"][record.header.rows(i, "box")][k]
        mask = np.zeros(size, np.uint8)
        mask[y0:y1, x0:x1] = record.windows[k]
        return mask

    def known(self, objects: Sequence[Object]) -> list[Object]:
        """The objects that have a mask."""
        return [one for one in objects if self._place(one) is not None]

    def lacking(self, objects: Sequence[Object]) -> str:
        """Say how many objects have no mask, and why."""
        bare = [one for one in objects if self._place(one) is None]
        poor = sum(self._window_of[one.image][one.number] >= 0 for one in bare)
        free = sum(len(self._windows(i)[1]) for i in self.record_of if i >= 0)
        free -= sum(int((windows >= 0).sum()) for windows in self._window_of)
        texts = [f"{len(bare) - poor} objects without a mask"] if len(bare) > poor else []
        texts += [f"{poor} objects whose mask failed or is below --min-score"] if poor else []
        texts += [f"{free} masks of '{self.source}' that fit no box"] if free else []
        return ", ".join(texts)


def matches(drawn: Boxes, boxes: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Match the boxes of an image with the masks of a file: by id, else by overlap.

    A mask that was corrected by hand no longer fills its box. It belongs to the box of its id if it overlaps
    no other box more: numbers that were given anew, in a file that keeps none, do not mislead. Boxes and
    masks that are left are matched if each overlaps the other most, with an IoU of at least one half.

    Args:
        drawn: the boxes, with the ids of their file.
        boxes: (M, 4) xyxy, the boxes of the masks; NaN for unknown ones, which match nothing.
        ids: (M,) of the masks.

    Returns:
        (B,) int64: number of the mask of each box; -1: none.
    """
    found = np.full(len(drawn), -1)
    if not len(drawn) or not len(boxes):
        return found
    overlap = box_overlaps(drawn.xyxy, np.nan_to_num(boxes))
    same = (drawn.ids[:, None] == ids) & (overlap > 0) & (overlap >= overlap.max(0))
    for b, m in zip(*np.nonzero(same), strict=True):
        if found[b] < 0 and m not in found:
            found[b] = m
    overlap[found >= 0] = 0
    overlap[:, found[found >= 0]] = 0
    best = (overlap >= _SAME) & (overlap == overlap.max(0)) & (overlap == overlap.max(1)[:, None])
    for b, m in zip(*np.nonzero(best), strict=True):
        if found[b] < 0 and m not in found:
            found[b] = m
    return found
