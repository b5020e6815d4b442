"""The boxes of a set of images as columns of a file: place, class, number, and the window that shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.data.augmentation.box_windows import margin_window
from wsstool.data.boxes.table import BoxTable, read_boxes
from wsstool.data.dataset import Dataset
from wsstool.regions import Boxes
from wsstool.store.provenance import canonical_json, digest
from wsstool.types import SILENT, ClassList, Messages

MARGIN = 0.25  #: of the windows of boxes that no contour file cuts out, as a share of their sides
COLUMNS = ("box_offset", "box", "box_class", "box_id", "window")

Window = tuple[int, int, int, int]


@dataclass(frozen=True)
class BoxColumns:
    """Images and the boxes in them, as ``contour`` and ``selection`` files store them.

    Args:
        images: N names, sorted.
        sizes: (N, 2) int32 rows and columns.
        classes: what the class ids mean.
        columns: ``box_offset`` (N + 1,), ``box`` (B, 4) float32 xyxy, ``box_class`` (B,), ``box_id`` (B,) and
            ``window`` (B, 4) int32 xyxy.
    """

    images: tuple[str, ...]
    sizes: np.ndarray
    classes: ClassList
    columns: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.images)

    def rows(self, i: int) -> range:
        """Return the numbers of the boxes of image ``i``."""
        bounds = self.columns["box_offset"]
        return range(int(bounds[i]), int(bounds[i + 1]))

    def header_fields(self) -> dict[str, Any]:
        """The arguments of ``store.new_header`` that the boxes decide: one window of pixels per box."""
        counts = np.diff(self.columns["box_offset"])
        x0, y0, x1, y1 = self.columns["window"].astype(np.int64).T
        areas = np.concatenate([[0], np.cumsum((x1 - x0) * (y1 - y0))])
        return {
            "images": self.images,
            "sizes": self.sizes,
            "shapes": np.stack([counts, np.full(len(self), -1), np.full(len(self), -1)], 1),
            "elements": np.diff(areas[self.columns["box_offset"]]),
            "classes": self.classes,
            "columns": self.columns,
        }

    def digest(self) -> str:
        """Return a hash of all boxes."""
        return digest(canonical_json([self.columns[name].tolist() for name in COLUMNS[:4]]))

    @classmethod
    def of(
        cls,
        images: tuple[str, ...],
        sizes: np.ndarray,
        classes: ClassList,
        boxes: Sequence[Boxes],
        windows: Sequence[Window],
    ) -> BoxColumns:
        """Build the columns.

        Args:
            images, sizes, classes: see the class.
            boxes: those of each image.
            windows: x0, y0, x1, y1 of the window of each box, image by image.
        """
        columns: dict[str, np.ndarray] = {
            "box_offset": np.concatenate([[0], np.cumsum([len(one) for one in boxes])]).astype(np.int64),
            "box": np.concatenate([one.xyxy for one in boxes]).astype(np.float32).reshape(-1, 4),
            "box_class": np.concatenate([one.class_ids for one in boxes]).astype(np.uint16),
            "box_id": np.concatenate([one.ids for one in boxes]).astype(np.int64),
            "window": np.array(windows, np.int32).reshape(-1, 4),
        }
        return cls(images, sizes, classes, columns)

    @classmethod
    def of_header(cls, header: store.Header) -> BoxColumns:
        """Return the boxes of a ``contour`` or ``selection`` file."""
        columns = {name: header.columns[name] for name in COLUMNS}
        return cls(header.images, header.sizes, header.classes, columns)

    @classmethod
    def of_table(
        cls, images: tuple[str, ...], sizes: np.ndarray, table: BoxTable, margin: float = MARGIN
    ) -> BoxColumns:
        """Return the boxes of a data set, in windows with a margin."""
        windows = [
            margin_window(box, margin, (int(size[0]), int(size[1])))
            for boxes, size in zip(table.boxes, sizes, strict=True)
            for box in boxes.xyxy
        ]
        return cls.of(images, sizes, table.classes, table.boxes, windows)


def boxes_of(
    root: Path,
    images: tuple[str, ...],
    sizes: np.ndarray,
    classes: ClassList,
    boxes: Path | None,
    *,
    box_format: str = "auto",
    messages: Messages = SILENT,
) -> tuple[BoxColumns, BoxTable]:
    """The boxes of the images of a file, from their data folder or from ``boxes``.

    Raises:
        As :func:`~wsstool.data.boxes.table.read_boxes`.
    """
    dataset = Dataset(root, images, classes, None, "")
    table = read_boxes(dataset, boxes, box_format=box_format, messages=messages)
    return BoxColumns.of_table(images, sizes, table), table
