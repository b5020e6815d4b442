"""The boxes of a set of images as columns of a file: place, class, number, and the window that shows them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsstool import store
from wsstool.data.augmentation.box_windows import margin_window
from wsstool.data.boxes.table import BoxTable, read_boxes
from wsstool.data.dataset import Dataset
from wsstool.store.provenance import canonical_json, digest
from wsstool.types import SILENT, ClassList, Messages

MARGIN = 0.25  #: of the windows of boxes that no contour file cuts out, as a share of their sides
COLUMNS = ("box_offset", "box", "box_class", "box_id", "window")


@dataclass(frozen=True)
class Objects:
    """Images and the boxes in them.

    Args:
        images: N names, sorted.
        sizes: (N, 2) int32 rows and columns.
        classes: what the class ids mean.
        columns: ``box_offset`` (N + 1,), ``box`` (B, 4) float32 xyxy, ``box_class`` (B,), ``box_id`` (B,) and
            ``window`` (B, 4) int32 xyxy, as in ``contour`` and ``selection`` files.
    """

    images: tuple[str, ...]
    sizes: np.ndarray
    classes: ClassList
    columns: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.images)

    def rows(self, i: int) -> range:
        """Numbers of the boxes of image ``i``."""
        bounds = self.columns["box_offset"]
        return range(int(bounds[i]), int(bounds[i + 1]))

    @property
    def elements(self) -> np.ndarray:
        """(N,) int64: pixels of all windows of each image."""
        x0, y0, x1, y1 = self.columns["window"].astype(np.int64).T
        areas = np.concatenate([[0], np.cumsum((x1 - x0) * (y1 - y0))])
        return np.diff(areas[self.columns["box_offset"]])

    @property
    def shapes(self) -> np.ndarray:
        """(N, 3): number of windows, and two open lengths."""
        counts = np.diff(self.columns["box_offset"])
        return np.stack([counts, np.full(len(self), -1), np.full(len(self), -1)], 1)

    def digest(self) -> str:
        """Hash of all boxes."""
        return digest(canonical_json([self.columns[name].tolist() for name in COLUMNS[:4]]))

    @classmethod
    def of_header(cls, header: store.Header) -> Objects:
        """The boxes that a ``contour`` or ``selection`` file holds."""
        columns = {name: header.columns[name] for name in COLUMNS}
        return cls(header.images, header.sizes, header.classes, columns)

    @classmethod
    def of_table(
        cls, images: tuple[str, ...], sizes: np.ndarray, table: BoxTable, margin: float = MARGIN
    ) -> Objects:
        """The boxes of a data set, in windows with a margin."""
        found = [table.of(i) for i in range(len(images))]
        windows = [
            margin_window(box, margin, (int(size[0]), int(size[1])))
            for boxes, size in zip(found, sizes, strict=True)
            for box in boxes.xyxy
        ]
        columns: dict[str, np.ndarray] = {
            "box_offset": np.concatenate([[0], np.cumsum([len(one) for one in found])]).astype(np.int64),
            "box": np.concatenate([one.xyxy for one in found]).astype(np.float32).reshape(-1, 4),
            "box_class": np.concatenate([one.class_ids for one in found]).astype(np.uint16),
            "box_id": np.concatenate([one.ids for one in found]).astype(np.int64),
            "window": np.array(windows, np.int32).reshape(-1, 4),
        }
        return cls(images, sizes, table.classes, columns)


def boxes_of(
    root: Path,
    images: tuple[str, ...],
    sizes: np.ndarray,
    classes: ClassList,
    boxes: Path | None,
    *,
    box_format: str = "auto",
    messages: Messages = SILENT,
) -> tuple[Objects, BoxTable]:
    """The boxes of the images of a file, from their data folder or from ``boxes``.

    Raises:
        As :func:`~wsstool.data.boxes.table.read_boxes`.
    """
    dataset = Dataset(root, images, classes, None, "")
    table = read_boxes(dataset, boxes, box_format=box_format, messages=messages)
    return Objects.of_table(images, sizes, table), table
