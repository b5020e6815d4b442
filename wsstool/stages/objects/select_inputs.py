"""Read the inputs of ``select``: proposals and maps side by side, joined by the names of their images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsstool import store
from wsstool.errors import MissingInputError, UsageError
from wsstool.regions import in_window
from wsstool.stages.inputs.image_folder import image_folder
from wsstool.stages.inputs.paired_records import check_same_images
from wsstool.stages.objects.columns import BoxColumns
from wsstool.stages.objects.mask_maker import ImageObjects, MaskMaker
from wsstool.types import Messages


@dataclass(frozen=True)
class SelectInputs:
    """The open inputs, at least one of the three."""

    proposals: store.Reader | None = None
    maps: store.Reader | None = None
    folder: Path | None = None
    names: tuple[str, str] = ("", "")  #: of the proposals and the maps, as typed

    @property
    def header(self) -> store.Header | None:
        """Header of the file that lists the images."""
        reader = self.maps or self.proposals
        return reader.header if reader else None

    def image_root(self, images: Path | None) -> str:
        return str(images or self.folder or (self.header.image_root if self.header else ""))

    def sources(self) -> tuple[store.Input, ...]:
        found = []
        if self.proposals:
            found.append(self.proposals.header.as_input(path=self.names[0]))
        if self.maps:
            role = "contour" if self.proposals else "input"
            found.append(self.maps.header.as_input(role, path=self.names[1]))
        return tuple(found)


def open_inputs(
    source: str | None, contour: str | None, maker: MaskMaker, stack: ExitStack, messages: Messages
) -> SelectInputs:
    """Open ``--contour`` and the positional input; at most one of them is standard input.

    Raises:
        UsageError: inputs that exclude each other. Others: see ``store.open_records``.
    """

    def read(name: str | None, *kinds: str) -> store.Reader:
        return stack.enter_context(store.open_records(name, kinds=kinds, command="select", sentences=True))

    if contour is None:
        if source is not None and Path(source).is_dir():
            return SelectInputs(folder=Path(source))
        first = read(source, "proposal", "contour")
        names = (source or "", source or "")
        return (
            SelectInputs(first, names=names)
            if first.header.payload == "proposal"
            else SelectInputs(None, first, names=names)
        )
    if source is None and not maker.takes_proposals:
        return SelectInputs(None, read(contour, "contour"), names=("", contour))
    if source is not None and Path(source).is_dir():
        raise UsageError(f"'{source}' is a folder; with --contour, name a proposal file")
    if contour == "-" and source in (None, "-"):
        raise UsageError(
            "standard input can be only one of the proposals and the maps; name a file for the other"
        )
    inputs = SelectInputs(read(source, "proposal"), read(contour, "contour"), names=(source or "", contour))
    assert inputs.proposals is not None and inputs.maps is not None
    check_same_images(inputs.proposals.header, inputs.maps.header, *inputs.names, messages)
    return inputs


def pixel_folder(inputs: SelectInputs, images: Path | None, *, needed: bool) -> Path | None:
    """The folder of the images, where they are."""
    if inputs.folder is not None:
        return inputs.folder
    assert inputs.header is not None
    try:
        name = inputs.names[1] or inputs.names[0] or None
        return image_folder(inputs.header, images, name, compared=needed or images is not None)
    except MissingInputError:
        if needed or images is not None:
            raise
        return None


@dataclass(frozen=True)
class ImageTask:
    """One image to make masks for.

    Args:
        objects: its boxes, maps and proposals, without pixels; None: there are none.
        path: the image file; None: it is not there.
        reason: why there are no objects.
    """

    objects: ImageObjects | None
    path: Path | None = None
    reason: str = "failed in an earlier stage"


def image_tasks(
    inputs: SelectInputs, boxes: BoxColumns, folder: Path | None, start: int
) -> Iterator[ImageTask]:
    """Yield the images in order; the streams are read side by side, to their ends."""
    proposals = inputs.proposals.records() if inputs.proposals else iter(())
    maps = inputs.maps.records(start) if inputs.maps else None
    given = boxes.given_boxes
    for i in range(start, len(boxes)):
        name, size = boxes.images[i], boxes.sizes[i]
        record = next(maps) if maps else None
        regions = next((one for one in proposals if one.name == name), None)
        rows = slice(boxes.rows(i).start, boxes.rows(i).stop)
        if not size.all() or any(one is not None and one.failed for one in (record, regions)):
            yield ImageTask(None)
            continue
        objects = ImageObjects(
            (int(size[0]), int(size[1])),
            given[rows],
            boxes.columns["window"][rows],
            _maps(record, boxes, i) if record else [None] * (rows.stop - rows.start),
            regions.proposals if regions else None,
        )
        yield ImageTask(objects, folder / name if folder else None)
    for rest in (maps or (), proposals):
        for _ in rest:  # the checksum is at the end
            pass


def _maps(record: store.Record, boxes: BoxColumns, i: int) -> list[np.ndarray | None]:
    """The map of each box in its window; maps and boxes belong together by number."""
    rows = boxes.rows(i)
    theirs = record.header.rows(record.index, "box")
    if record.header.columns["window"] is boxes.columns["window"]:
        return list(record.windows)
    numbers = record.header.columns["box_id"][theirs].tolist()
    corners = record.header.columns["window"][theirs]
    found: list[np.ndarray | None] = []
    for row in rows:
        number = int(boxes.columns["box_id"][row])
        if number not in numbers:
            found.append(None)
            continue
        k = numbers.index(number)
        window = boxes.columns["window"][row].tolist()
        found.append(in_window(record.windows[k], corners[k].tolist(), window))
    return found
