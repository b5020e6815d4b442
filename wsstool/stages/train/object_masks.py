"""Training masks of single objects: ground truth of the box file, or masks of a ``selection`` file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wsstool import store
from wsstool.data.boxes.table import BoxTable
from wsstool.data.dataset import Dataset
from wsstool.errors import BadInputError
from wsstool.training.images.object_images import Object
from wsstool.types import IGNORE


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


class SelectedMasks:
    """Object -> (H,W) uint8 mask of a ``selection`` file, 0 outside its window; picklable.

    Args:
        source: the file.
        dataset: the images that number the objects.
        min_score: masks with a lower quality score count as missing.

    Raises:
        BadInputError: another kind of file, or one with none of these images.
    """

    def __init__(self, source: Path, dataset: Dataset, min_score: float) -> None:
        self.records = store.open_random(source, kinds=("selection",), command="train-contour")
        self.source, self.min_score = source, min_score
        header = self.records.header
        place = {name: i for i, name in enumerate(header.images)}
        self.record_of = [place.get(name, -1) for name in dataset.names]
        self.sizes = dataset.sizes()
        if max(self.record_of, default=-1) < 0:
            raise BadInputError(f"'{source}' has no masks for the training images")
        self._ids = header.columns["box_id"]

    @property
    def input(self) -> store.Input:
        return self.records.header.as_input("selection", path=self.source)

    def _place(self, one: Object) -> tuple[int, int] | None:
        """Return record and window number of an object; None without a mask of sufficient quality."""
        i = self.record_of[one.image]
        if i < 0 or self.records.tail["status"][i] != store.DONE:
            return None
        rows = self.records.header.rows(i, "box")
        same = np.flatnonzero(
            (self._ids[rows] == one.box_id)
            & (np.abs(self.records.header.columns["box"][rows] - one.box).max(1) < 1)
        )
        if not len(same) or self.records.tail["score"][rows][same[0]] < self.min_score:
            return None
        return i, int(same[0])

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
