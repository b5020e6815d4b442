"""Contact sheets of the masks of boxes, worst first: crop, map, mask and ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsstool import store
from wsstool.data.boxes.table import BoxTable
from wsstool.data.palettes import class_palette
from wsstool.errors import WsstoolError
from wsstool.regions import box_in_window, box_mask, in_window
from wsstool.report.overlays import blend, blend_scores, errors, fitted, jpeg, label_borders
from wsstool.report.page import Gallery, Panel, Ranking, Sample
from wsstool.stages.inputs.image_batches import read_sized_image
from wsstool.stages.inputs.image_folder import image_folder
from wsstool.stages.options.scoring import ReportOptions
from wsstool.stages.report.image_gallery import worst_typical_best, write_strip
from wsstool.stages.scoring.instances import find_objects
from wsstool.stages.scoring.predictions import data_folder
from wsstool.types import SILENT, Messages

PER_SAMPLE = 4  #: objects shown for every image that --samples asks for
HEIGHT = 200
BOX = (255, 220, 60)


@dataclass
class ObjectFile:
    """A ``selection`` or ``contour`` file of the report."""

    name: str
    records: store.RandomAccess


@dataclass
class RankedObjects(ObjectFile):
    """A ``selection`` file with the order of its masks.

    Attributes:
        folder: of the images.
        table: the annotated objects; None: not found.
        ious: (R,) IoU of each mask with the ground truth; NaN without one.
        order: numbers of the boxes, the worst mask first; objects of failed images are left out.
    """

    folder: Path
    table: BoxTable | None
    ious: np.ndarray
    order: list[int]

    @classmethod
    def of(cls, file: ObjectFile, options: ReportOptions, messages: Messages = SILENT) -> RankedObjects:
        """Sort the masks of a file by IoU, or without ground truth by their own score.

        Masks without ground truth among others that have some come last.

        Raises:
            MissingInputError: the images are not there, or the named ground truth has no boxes.
            BadInputError: images have another size than when the file was made.
        """
        header, tail = file.records.header, file.records.tail
        folder = image_folder(header, options.images, file.records.path)
        root = data_folder(header, file.records.path, options.truth, options.images)
        table = find_objects(header, root, options.truth, messages)
        ious = _ious(file.records, table)
        done = np.repeat(tail["status"] == store.DONE, np.diff(header.columns["box_offset"]))
        by = tail["score"] if np.isnan(ious).all() else ious  # NaN is sorted last
        order = np.flatnonzero(done)[np.argsort(by[done], kind="stable")].tolist()
        return cls(file.name, file.records, folder, table, ious, order)

    @property
    def sorted_by(self) -> str:
        """By what, in words."""
        return "mask score" if np.isnan(self.ious).all() else "IoU"

    def ranking(self) -> Ranking:
        """Return all masks in order."""
        header, score = self.records.header, self.records.tail["score"]
        image = np.repeat(np.arange(len(header)), np.diff(header.columns["box_offset"]))
        with_iou = self.sorted_by == "IoU"
        rows = []
        for row in self.order:
            name = header.classes.names[int(header.columns["box_class"][row])]
            cells: list[str | float | None] = [header.images[image[row]]]
            cells += [str(header.columns["box_id"][row]), name, float(score[row])]
            iou = float(self.ious[row])
            rows.append([*cells, *([None if np.isnan(iou) else iou] if with_iou else [])])
        title = f"All {len(rows)} masks of {self.name}, lowest {self.sorted_by} first"
        return Ranking(title, ("image", "box", "class", "score", *(["IoU"] if with_iou else [])), rows)


def _ious(records: store.RandomAccess, table: BoxTable | None) -> np.ndarray:
    """Return the IoU of each mask with the ground truth of its box, (R,) float64; NaN without one."""
    header = records.header
    found = np.full(len(header.columns["box"]), np.nan)
    if table is None:
        return found
    for i in range(len(header)):
        record, rows = records[i], header.rows(i, "box")
        if record.failed or all(shape is None for shape in table.shapes[i]):
            continue
        true = dict(zip(table.of(i).ids.tolist(), table.truth(i), strict=True))
        for row, mask in zip(range(rows.start, rows.stop), record.windows, strict=True):
            truth = true.get(int(header.columns["box_id"][row]))
            if truth is not None:
                x0, y0, x1, y1 = header.columns["window"][row].tolist()
                both = ((mask == 1) & truth[y0:y1, x0:x1]).sum()
                found[row] = both / max(1, (mask == 1).sum() + truth.sum() - both)
    return found


def object_galleries(
    selections: Sequence[RankedObjects], contours: Sequence[ObjectFile], options: ReportOptions
) -> list[Gallery]:
    """Return galleries of the worst, typical and best masks of each ``selection`` file.

    Args:
        selections: files of masks.
        contours: files of maps, shown beside the masks of the same boxes.
        options: a fourth of the number of objects of each kind, and the folder for strips, named after file,
            kind, place, image and box.

    Raises:
        MissingInputError: an image is not there.
        BadInputError: an image has another size than when the file was made.
    """
    found = []
    for file in selections:
        n = options.samples * PER_SAMPLE
        for title, rows in worst_typical_best(file.order, n, "masks") if n and file.order else []:
            shown = []
            for place, row in enumerate(rows):
                sample, captioned = _sample(file, contours, row)
                shown.append(sample)
                if options.strips is not None:
                    kind = title.split()[0].strip(",").lower()  # worst, typical, best; masks: all of them
                    number = int(file.records.header.columns["box_id"][row])
                    stem = Path(sample.name.rpartition(", box ")[0]).stem
                    write_strip(
                        Path(options.strips), f"{file.name}-{kind}-{place:03d}-{stem}-{number}.png", captioned
                    )
            found.append(Gallery(title, f"{file.name}. Sorted by {file.sorted_by}.", shown))
    return found


def _sample(
    file: RankedObjects, contours: Sequence[ObjectFile], row: int
) -> tuple[Sample, list[tuple[str, np.ndarray]]]:
    """Return the captions and images of one box, all of one height."""
    header, tail = file.records.header, file.records.tail
    i = int(np.searchsorted(header.columns["box_offset"], row, side="right")) - 1
    record, palette = file.records[i], class_palette(header.classes)
    image = read_sized_image(file.folder / record.name, header.sizes[i])
    if isinstance(image, WsstoolError):
        raise image
    x0, y0, x1, y1 = header.columns["window"][row].tolist()
    window = slice(y0, y1), slice(x0, x1)
    crop, class_id = image[window], int(header.columns["box_class"][row])
    inner = box_in_window(header.columns["box"][row], header.columns["window"][row])
    number = int(header.columns["box_id"][row])
    mask = record.windows[row - int(header.columns["box_offset"][i])]
    colours = palette.copy()
    colours[1] = palette[class_id] if palette[class_id].any() else (213, 94, 0)
    captioned = [("image", _boxed(crop, inner))]
    for other in contours:
        values = _map(other.records, record.name, number, (x0, y0, x1, y1))
        if values is not None:
            captioned.append((other.name, blend_scores(crop, values[None], [1], colours)))
    captioned.append((file.name, blend(crop, mask, colours, background=0)))
    note = f"{header.classes.names[class_id]}, score {tail['score'][row]:.2f}"
    note += ", fallback" if tail["fallback"][row] else ""
    true = _truth(file.table, i, number)
    if true is not None:
        shown, made = true[window].astype(np.uint8), mask == 1
        captioned.append(("ground truth", blend(crop, shown, colours, background=0)))
        captioned.append(("errors", errors(crop, made.astype(np.uint8), shown)))
        note += f", IoU {file.ious[row]:.2f}"
    captioned = [(caption, fitted(panel, HEIGHT)) for caption, panel in captioned]
    panels = [Panel(caption, jpeg(panel)) for caption, panel in captioned]
    return Sample(f"{record.name}, box {number}", note, panels), captioned


def _boxed(crop: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Return the crop with the outline of the box."""
    shown = crop.copy()
    shown[label_borders(box_mask(box, crop.shape).astype(np.uint8))] = BOX
    return shown


def _map(records: store.RandomAccess, name: str, number: int, window: Sequence[int]) -> np.ndarray | None:
    """(h, w) float32: the map of a box of that number, in a window of the image; None without one."""
    header = records.header
    if name not in header.images:
        return None
    i = header.images.index(name)
    rows, record = header.rows(i, "box"), records[i]
    numbers = header.columns["box_id"][rows].tolist()
    if number not in numbers or record.failed:
        return None
    k = numbers.index(number)
    return in_window(record.windows[k], header.columns["window"][rows][k].tolist(), window)


def _truth(table: BoxTable | None, i: int, number: int) -> np.ndarray | None:
    """Return the (H, W) bool ground-truth mask of the box with that number."""
    if table is None:
        return None
    numbers = table.of(i).ids.tolist()
    return table.truth(i)[numbers.index(number)] if number in numbers else None
