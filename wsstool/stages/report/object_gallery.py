"""Contact sheets of the masks of boxes, worst first by their own score: crop, map, mask and ground truth."""

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
from wsstool.report.page import Gallery, Panel, Sample
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


def object_galleries(
    selections: Sequence[ObjectFile],
    contours: Sequence[ObjectFile],
    options: ReportOptions,
    messages: Messages = SILENT,
) -> list[Gallery]:
    """Return galleries of the worst, typical and best masks of each ``selection`` file.

    Args:
        selections: files of masks.
        contours: files of maps, shown beside the masks of the same boxes.
        options: a fourth of the number of objects of each kind, where images and ground truth are, and the
            folder for strips, named after file, kind, place, image and box.
        messages: where warnings go.

    Raises:
        MissingInputError: an image is not there.
        BadInputError: an image has another size than when the file was made.
    """
    found = []
    for file in selections:
        header = file.records.header
        folder = image_folder(header, options.images, file.records.path)
        root = data_folder(header, file.records.path, options.truth)
        table = find_objects(header, root, options.truth, messages)
        for title, rows in _chosen(file.records, options.samples * PER_SAMPLE):
            shown = []
            for place, row in enumerate(rows):
                sample, captioned = _sample(file, contours, row, folder, table)
                shown.append(sample)
                if options.strips is not None:
                    kind = title.split()[0].strip(",").lower()  # worst, typical, best; masks: all of them
                    number = int(file.records.header.columns["box_id"][row])
                    stem = Path(sample.name.rpartition(", box ")[0]).stem
                    write_strip(
                        Path(options.strips), f"{file.name}-{kind}-{place:03d}-{stem}-{number}.png", captioned
                    )
            found.append(Gallery(title, f"{file.name}. Sorted by mask score.", shown))
    return found


def _chosen(records: store.RandomAccess, n: int) -> list[tuple[str, list[int]]]:
    """Titles and numbers of boxes: worst, around the median, best; objects of failed images are left out."""
    header, score = records.header, records.tail["score"]
    done = np.repeat(records.tail["status"] == store.DONE, np.diff(header.columns["box_offset"]))
    order = np.flatnonzero(done)[np.argsort(score[done], kind="stable")]
    return worst_typical_best(order.tolist(), n, "masks") if n and len(order) else []


def _sample(
    file: ObjectFile, contours: Sequence[ObjectFile], row: int, folder: Path, table: BoxTable | None
) -> tuple[Sample, list[tuple[str, np.ndarray]]]:
    """Return the captions and images of one box, all of one height."""
    header, tail = file.records.header, file.records.tail
    i = int(np.searchsorted(header.columns["box_offset"], row, side="right")) - 1
    record, palette = file.records[i], class_palette(header.classes)
    image = read_sized_image(folder / record.name, header.sizes[i])
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
    true = _truth(table, i, number)
    if true is not None:
        shown, made = true[window].astype(np.uint8), mask == 1
        captioned.append(("ground truth", blend(crop, shown, colours, background=0)))
        captioned.append(("errors", errors(crop, made.astype(np.uint8), shown)))
        both = (made & (shown == 1)).sum()
        note += f", IoU {both / max(1, made.sum() + true.sum() - both):.2f}"
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
