"""The boxes of a set of images as columns of a file: place, class, number, window, and sentence if any."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.data.augmentation.box_windows import margin_window
from wsstool.data.boxes.table import BoxTable, read_boxes
from wsstool.data.classlist import with_background
from wsstool.data.dataset import Dataset
from wsstool.expressions.expression import Expression
from wsstool.regions import Boxes
from wsstool.store.provenance import canonical_json, digest
from wsstool.types import SILENT, ClassList, Messages

MARGIN = 0.25  #: of the windows of boxes that no contour file cuts out, as a share of their sides
COLUMNS = ("box_offset", "box", "box_class", "box_id", "window")
SENTENCE_LAYER = "sentences"  #: the layer of ``mask`` files with one mask per sentence

Window = tuple[int, int, int, int]


@dataclass(frozen=True)
class BoxColumns:
    """Images and the boxes in them, as ``contour`` and ``selection`` files store them.

    Args:
        images: N names, sorted.
        sizes: (N, 2) int32 rows and columns.
        classes: what the class ids mean.
        columns: ``box_offset`` (N + 1,), ``box`` (B, 4) float32 xyxy, ``box_class`` (B,), ``box_id`` (B,) and
            ``window`` (B, 4) int32 xyxy. ``sentence`` (B,) where every entry is a sentence; the box of an
            object without one is NaN.
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

    def mask_fields(self) -> dict[str, Any]:
        """The arguments of ``store.new_header`` of a ``mask`` file with one mask per sentence."""
        counts = np.diff(self.columns["box_offset"])
        return {
            "images": self.images,
            "sizes": self.sizes,
            "shapes": np.concatenate([counts[:, None], self.sizes], 1),
            "classes": self.classes,
            "columns": {name: column for name, column in self.columns.items() if name != "window"},
            "attributes": {"layers": [SENTENCE_LAYER]},
        }

    @cached_property
    def sentences(self) -> tuple[str, ...] | None:
        """The sentence of each entry; None: the entries are objects."""
        column = self.columns.get("sentence")
        return None if column is None else tuple(text.decode() for text in column.tolist())

    @cached_property
    def given_boxes(self) -> np.ndarray:
        """(B, 4) boxes; the whole image for a sentence without one."""
        counts = np.diff(self.columns["box_offset"])
        whole = np.repeat(self.sizes[:, ::-1], counts, axis=0)
        whole = np.concatenate([np.zeros_like(whole), whole], 1).astype(np.float32)
        return np.where(np.isnan(self.columns["box"]), whole, self.columns["box"])

    def digest(self) -> str:
        """Return a hash of all boxes and sentences."""
        named = [self.columns[name].tolist() for name in COLUMNS[:4]]
        if self.sentences is not None:
            named.append(list(self.sentences))
        return digest(canonical_json(named))

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
            "box": np.concatenate([np.zeros((0, 4)), *(one.xyxy for one in boxes)]).astype(np.float32),
            "box_class": np.concatenate([np.zeros(0), *(one.class_ids for one in boxes)]).astype(np.uint16),
            "box_id": np.concatenate([np.zeros(0, np.int64), *(one.ids for one in boxes)]).astype(np.int64),
            "window": np.array(windows, np.int32).reshape(-1, 4),
        }
        return cls(images, sizes, classes, columns)

    @classmethod
    def of_sentences(
        cls,
        images: tuple[str, ...],
        sizes: np.ndarray,
        rows: Iterable[Expression],
        classes: ClassList | None = None,
        *,
        margin: float | None = MARGIN,
    ) -> BoxColumns:
        """Build the columns with one entry per sentence, image by image in the order of the rows.

        Args:
            images, sizes: see the class.
            rows: the objects and their sentences; those of other images are left out.
            classes: list with the categories; None: ``sentence_classes`` of the rows.
            margin: of the window around the box, as a share of its sides; None: the window is the whole
                image, as it is for an object without a box.

        Raises:
            KeyError: a category that is not in ``classes``.
        """
        rows = list(rows)
        classes = classes or sentence_classes(rows)
        numbers = {name: k for k, name in enumerate(classes.names)}
        of_image: dict[str, list[Expression]] = {name: [] for name in images}
        for row in rows:
            if row.image in of_image:
                of_image[row.image].append(row)
        entries = [
            (i, row, text)
            for i, name in enumerate(images)
            for row in of_image[name]
            for text in row.sentences
        ]
        windows = [_window(row, margin, sizes[i].tolist()) for i, row, _ in entries]
        counts = np.bincount([i for i, _, _ in entries], minlength=len(images))
        columns: dict[str, np.ndarray] = {
            "box_offset": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            "box": np.array([row.box or (np.nan,) * 4 for _, row, _ in entries], np.float32).reshape(-1, 4),
            "box_class": np.array([numbers[category(row)] for _, row, _ in entries], np.uint16),
            "box_id": np.array([row.number for _, row, _ in entries], np.int64),
            "window": np.array(windows, np.int32).reshape(-1, 4),
            "sentence": store.text_column([text for _, _, text in entries]),
        }
        return cls(images, sizes, classes, columns)

    @classmethod
    def of_header(cls, header: store.Header) -> BoxColumns:
        """Return the boxes of a ``contour`` or ``selection`` file."""
        columns = {name: header.columns[name] for name in (*COLUMNS, "sentence") if name in header.columns}
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


def category(row: Expression) -> str:
    """Return the class name of an object; ``object`` where it has none."""
    return row.category or "object"


def sentence_classes(rows: Iterable[Expression]) -> ClassList:
    """Return the classes of objects with sentences, in alphabetical order after the background."""
    return with_background(sorted({category(row) for row in rows}))


def _window(row: Expression, margin: float | None, size: Sequence[int]) -> Window:
    if row.box is None or margin is None or not all(size):
        return 0, 0, int(size[1]), int(size[0])
    return margin_window(np.array(row.box), margin, (int(size[0]), int(size[1])))


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
