"""Read the inputs of ``select``: proposals and maps side by side, joined by the names of their images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsstool import store
from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.regions import in_window
from wsstool.stages.inputs.image_folder import image_folder
from wsstool.stages.objects.columns import BoxColumns
from wsstool.stages.objects.mask_maker import ImageObjects, MaskMaker


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


def open_inputs(source: str | None, contour: str | None, maker: MaskMaker, stack: ExitStack) -> SelectInputs:
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
    _check_images(inputs)
    return inputs


def _check_images(inputs: SelectInputs) -> None:
    """Raise BadInputError where the proposals lack an image of the maps, or have another one of its name."""
    assert inputs.proposals is not None and inputs.maps is not None
    theirs = dict(zip(inputs.proposals.header.images, inputs.proposals.header.sizes.tolist(), strict=True))
    for name, size in zip(inputs.maps.header.images, inputs.maps.header.sizes.tolist(), strict=True):
        if name not in theirs:
            source = inputs.names[0] or "stdin"
            raise BadInputError(
                f"'{source}' has no proposals for '{name}'; it may have been made from other images"
            )
        if any(size) and any(theirs[name]) and theirs[name] != size:
            raise BadInputError(
                f"the proposals of '{name}' have {theirs[name][1]} x {theirs[name][0]} pixels, but its maps "
                f"have {size[1]} x {size[0]}"
            )
    one, other = (_content(reader.header) for reader in (inputs.proposals, inputs.maps))
    if one and other and one != other and inputs.proposals.header.images == inputs.maps.header.images:
        raise BadInputError(
            f"'{inputs.names[0] or 'stdin'}' and '{inputs.names[1]}' were made from images of equal names, "
            "but of different content"
        )


def _content(header: store.Header) -> str | None:
    """Return the fingerprint of the images of a file; None where it does not have that of their content."""
    found = {given["role"]: given.get("fingerprint", "") for given in header.inputs}
    is_of_pixels = len(found) == len(header.inputs) and "import" not in found  # which reads none
    return found["data"] if "data" in found and is_of_pixels and ":" not in found["data"] else None


def pixel_folder(inputs: SelectInputs, images: Path | None, *, needed: bool) -> Path | None:
    """The folder of the images, where they are."""
    if inputs.folder is not None:
        return inputs.folder
    assert inputs.header is not None
    try:
        return image_folder(inputs.header, images, inputs.names[1] or inputs.names[0] or None)
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
