"""The boxes of a dataset, validated and clipped, with counts of the dropped ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from wsstool.data.boxes.box_classes import box_classes
from wsstool.data.boxes.class_ids import numbered
from wsstool.data.boxes.judging import ClippedBoxes, JudgedRows, clipped_boxes, judged_rows
from wsstool.data.boxes.number_forms import FORMS, check_form, check_scale
from wsstool.data.boxes.sources import written_boxes
from wsstool.data.dataset import Dataset
from wsstool.data.formats import WrittenBoxes
from wsstool.data.geometry.shapes import shape_mask
from wsstool.data.images import turning
from wsstool.errors import BadInputError, UsageError
from wsstool.regions import Boxes
from wsstool.types import SILENT, ClassList, Messages


@dataclass(frozen=True)
class BoxTable:
    """The usable boxes of every image of a dataset, in its order.

    Args:
        source: the file or folder, for messages.
        classes: the class list of the class ids.
        boxes: N; clipped to the image, at least half a pixel wide and high, and above one pixel in area.
        shapes: N lists, the annotated mask of each box as stored in the source; None: none.
        sizes: (N, 2) rows and columns of the images.
        scores: N arrays, confidence of each box in the source, 0 to 1.
        dropped: reason -> number of dropped boxes.
        clipped: boxes that were partly outside the image.
    """

    source: str
    classes: ClassList
    boxes: tuple[Boxes, ...]
    shapes: tuple[tuple[Any, ...], ...]
    sizes: np.ndarray
    scores: tuple[np.ndarray, ...] = ()
    dropped: dict[str, int] = field(default_factory=dict)
    clipped: int = 0

    def __len__(self) -> int:
        return len(self.boxes)

    def of(self, i: int) -> Boxes:
        """Return the boxes of image ``i``."""
        return self.boxes[i]

    def subset(self, indices: Iterable[int]) -> BoxTable:
        """Return the table of the images with these indices, in this order."""
        chosen = [int(i) for i in indices]
        return replace(
            self,
            boxes=tuple(self.boxes[i] for i in chosen),
            shapes=tuple(self.shapes[i] for i in chosen),
            sizes=self.sizes[chosen],
        )

    @property
    def counts(self) -> np.ndarray:
        """Number of boxes per image, (N,) int64."""
        return np.array([len(one) for one in self.boxes], np.int64)

    @property
    def has_truth(self) -> bool:
        """Whether any box has an annotated mask."""
        return any(shape is not None for shapes in self.shapes for shape in shapes)

    def check_usable(self) -> None:
        """Raise BadInputError if there are boxes but none of them is usable."""
        if self.dropped and not self.counts.any():
            reasons = ", ".join(f"{reason}: {n}" for reason, n in sorted(self.dropped.items()))
            raise BadInputError(f"{self.source} has no usable box ({reasons})")

    def truth(self, i: int) -> list[np.ndarray | None]:
        """Return the ground-truth (H, W) bool masks of the boxes of image ``i``, None for boxes without.

        Raises:
            BadInputError: an unreadable shape, or one of another size than the image.
        """
        return [self.mask(i, k) for k in range(len(self.boxes[i]))]

    def mask(self, i: int, k: int) -> np.ndarray | None:
        """Return the ground-truth mask of box ``k`` of image ``i``, see ``truth``."""
        shape, (rows, columns) = self.shapes[i][k], self.sizes[i].tolist()
        try:
            return None if shape is None else shape_mask(shape, (rows, columns))
        except BadInputError as error:
            number = int(self.boxes[i].ids[k])
            raise BadInputError(f"the mask of annotation {number} in {self.source}: {error}") from None


def read_boxes(
    dataset: Dataset,
    boxes: str | Path | None = None,
    *,
    box_format: str = "auto",
    messages: Messages = SILENT,
) -> BoxTable:
    """Read and validate the boxes of the images of a dataset.

    Args:
        dataset: the images; the numbers of its class list stay, and classes that it lacks are appended.
        boxes: a file of COCO, CVAT or Label Studio, a folder of VOC annotations or of YOLO labels; None:
            ``boxes.json``, ``instances*.json`` (all of them), ``Annotations/`` or ``labels/`` in the data
            folder.
        box_format: coordinate format of the boxes, one of ``FORMS``; auto: that of the file format, and an
            error if the file as a whole contradicts it.
        messages: receives what is left out.

    Raises:
        MissingInputError: no boxes, or no such file.
        UsageError: several sources of boxes, or an unknown ``box_format``.
        BadInputError: a file in another format, that states another size for an image than it has, or whose
            boxes are in another coordinate format.

    Notes:
        Boxes of images outside ``dataset`` are ignored; those of images that are not in the folder count as
        dropped. Annotations without an id get one, see ``class_ids``.
    """
    if box_format != "auto" and box_format not in FORMS:
        raise UsageError(f"--box-format {box_format}: choose from auto, {', '.join(FORMS)}")
    return table_of(written_boxes(dataset, boxes), dataset, box_format=box_format, messages=messages)


def table_of(
    written: WrittenBoxes,
    dataset: Dataset,
    *,
    box_format: str = "auto",
    tiny: bool = False,
    messages: Messages = SILENT,
) -> BoxTable:
    """Validate the boxes of a source; ``tiny`` keeps those of one pixel or less.

    Other arguments and errors as in ``read_boxes``.
    """
    form = written.form if box_format == "auto" else box_format
    for note in written.notes:
        messages.warn(note)
    classes, class_id = box_classes(written, dataset.classes, messages)
    sizes = dataset.sizes()
    dropped: Counter[str] = Counter(written.dropped)
    places = _places(written, dataset, sizes, dropped, messages)
    found = judged_rows(numbered(written, messages), places, sizes, form, written.source)
    placed = clipped_boxes(found, sizes, form, fractions=written.fractions, tiny=tiny)
    if box_format == "auto":
        _check_numbers(found, placed, form, written, messages)
    if not written.explicit and (~found.has_numbers).any() and found.has_numbers.any():
        messages.warn(
            f"{int((~found.has_numbers).sum())} objects of {written.source} have no box with four numbers; "
            "the bounding box of their mask is used"
        )
    dropped += found.dropped + placed.dropped
    moved = (np.abs(placed.xyxy - placed.clipped) > 0.5).any(1)
    usable = np.flatnonzero(placed.usable)
    counts = np.bincount(found.image[usable], minlength=len(dataset))
    ordered = usable[np.argsort(found.image[usable], kind="stable")]
    by_image = np.split(ordered, np.cumsum(counts)[:-1])
    table = BoxTable(
        source=written.source,
        classes=classes,
        boxes=tuple(
            Boxes(
                placed.clipped[ks].astype(np.float32),
                np.array([class_id[found.rows[k].name] for k in ks], np.int64),
                np.array([found.rows[k].id for k in ks], np.int64),
            )
            for ks in by_image
        ),
        shapes=tuple(
            tuple(_in_pixels(found.rows[k].shape, placed.unit[k], fractions=written.fractions) for k in ks)
            for ks in by_image
        ),
        sizes=sizes,
        scores=tuple(np.array([found.rows[k].score for k in ks], np.float32) for ks in by_image),
        dropped={reason: n for reason, n in dropped.items() if n},
        clipped=int((placed.usable & moved).sum()),
    )
    _report(table, messages)
    return table


def _check_numbers(
    found: JudgedRows, placed: ClippedBoxes, form: str, written: WrittenBoxes, messages: Messages
) -> None:
    """Raise BadInputError where the file as a whole looks like one of another form or another size."""
    own, source = found.has_numbers, written.source
    is_open = check_form(placed.numbers[own], form, placed.extents[own], source, fractions=written.fractions)
    if is_open and not written.explicit:
        other = "xywh" if form == "xyxy" else "xyxy"
        messages.say(
            f"reading the boxes of {source} as {FORMS[form]}; {FORMS[other]} would also fit (--box-format "
            f"{other})"
        )
    check_scale(placed.xyxy[own], placed.clipped[own], form, source)


def _places(
    written: WrittenBoxes, dataset: Dataset, sizes: np.ndarray, dropped: Counter[str], messages: Messages
) -> dict[str, int]:
    """Map image names of the source to image indices; report images that are missing."""
    places, absent = dataset.placed(written.images, written.source, messages)
    if not places:
        raise BadInputError(
            f"{written.source} lists none of the {len(dataset)} images: it has "
            f"{next(iter(written.images), 'no image')!r}, the data folder {next(iter(dataset.names), '')!r}"
        )
    if absent:
        lost = sum(row.image in absent for row in written.rows)
        dropped["its image is not there"] += lost
        messages.warn(
            f"{written.source} lists {len(absent)} images that are not in the data folder, such as "
            f"{min(absent)!r}, with {lost} boxes"
        )
    for spelling, i in places.items():
        stated, real = written.images[spelling], tuple(sizes[i].tolist())
        if stated is not None and all(real) and stated != real:
            turned = turning(dataset.path(i), stated, (real[0], real[1]))
            raise BadInputError(
                f"{written.source} states {stated[1]} x {stated[0]} pixels for {spelling!r}, but the image "
                f"has {real[1]} x {real[0]}{turned}; its boxes were made for another size"
            )
    return places


def _in_pixels(shape: Any, unit: np.ndarray, *, fractions: bool) -> Any:
    if shape is None or not fractions:
        return shape
    return [(np.asarray(corners).reshape(-1, 2) * unit).reshape(-1).tolist() for corners in shape]


def _report(table: BoxTable, messages: Messages) -> None:
    """Report boxes that were dropped or changed."""
    spelled = ", ".join(f"{reason}: {n}" for reason, n in sorted(table.dropped.items()))
    if len(table) and not table.counts.any():
        why = f"; left out: {spelled}" if spelled else ""
        messages.warn(f"{table.source} has no usable box for these {len(table)} images{why}")
    elif table.dropped:
        messages.warn(f"left out {sum(table.dropped.values())} boxes of {table.source} ({spelled})")
    if table.clipped:
        messages.say(f"clipped {table.clipped} boxes of {table.source} to their image")
