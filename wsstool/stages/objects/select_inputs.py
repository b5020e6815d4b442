"""What ``select`` reads: proposals and maps side by side, joined by the names of their images."""

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
from wsstool.stages.objects.columns import Objects
from wsstool.stages.objects.mask_maker import Maker, Scene


@dataclass(frozen=True)
class Given:
    """The open inputs. One of the three is there."""

    proposals: store.Reader | None = None
    maps: store.Reader | None = None
    folder: Path | None = None
    names: tuple[str, str] = ("", "")  #: of the proposals and the maps, as typed

    @property
    def header(self) -> store.Header | None:
        """Of the file that says which images there are."""
        reader = self.maps or self.proposals
        return reader.header if reader else None

    def image_root(self, images: Path | None) -> str:
        return str(images or self.folder or (self.header.image_root if self.header else ""))

    def inputs(self) -> tuple[store.Input, ...]:
        found = []
        if self.proposals:
            found.append(self.proposals.header.as_input(path=self.names[0]))
        if self.maps:
            role = "contour" if self.proposals else "input"
            found.append(self.maps.header.as_input(role, path=self.names[1]))
        return tuple(found)


def open_inputs(source: str | None, contour: str | None, maker: Maker, stack: ExitStack) -> Given:
    """Open what ``--contour`` and the positional input name; standard input is one of them at most.

    Raises:
        UsageError: inputs that exclude each other. Others: see ``store.open_records``.
    """

    def read(name: str | None, *kinds: str) -> store.Reader:
        return stack.enter_context(store.open_records(name, kinds=kinds, command="select"))

    if contour is None:
        if source is not None and Path(source).is_dir():
            return Given(folder=Path(source))
        first = read(source, "proposal", "contour")
        names = (source or "", source or "")
        return (
            Given(first, names=names)
            if first.header.payload == "proposal"
            else Given(None, first, names=names)
        )
    if source is None and not maker.takes_proposals:
        return Given(None, read(contour, "contour"), names=("", contour))
    if source is not None and Path(source).is_dir():
        raise UsageError(f"'{source}' is a folder; beside --contour a file of proposals is expected")
    if contour == "-" and source in (None, "-"):
        raise UsageError("standard input is either the proposals or the maps: name a file for the other")
    given = Given(read(source, "proposal"), read(contour, "contour"), names=(source or "", contour))
    _check_images(given)
    return given


def _check_images(given: Given) -> None:
    """Raise BadInputError where the proposals lack an image of the maps, or have it in another size."""
    assert given.proposals is not None and given.maps is not None
    theirs = dict(zip(given.proposals.header.images, given.proposals.header.sizes.tolist(), strict=True))
    for name, size in zip(given.maps.header.images, given.maps.header.sizes.tolist(), strict=True):
        if name not in theirs:
            source = given.names[0] or "stdin"
            raise BadInputError(
                f"there are no proposals of '{name}' in '{source}': are they of other images?"
            )
        if any(size) and any(theirs[name]) and theirs[name] != size:
            raise BadInputError(
                f"the proposals of '{name}' are for {theirs[name][1]} x {theirs[name][0]} pixels, "
                f"its maps for {size[1]} x {size[0]}"
            )


def pixel_folder(given: Given, images: Path | None, *, needed: bool) -> Path | None:
    """The folder of the images, where they are."""
    if given.folder is not None:
        return given.folder
    assert given.header is not None
    try:
        return image_folder(given.header, images, given.names[1] or given.names[0] or None)
    except MissingInputError:
        if needed or images is not None:
            raise
        return None


@dataclass(frozen=True)
class Job:
    """One image: its scene without pixels, and where those are; or why there is none."""

    scene: Scene | None
    picture: Path | None = None
    why: str = "had failed in the stage before"


def jobs(given: Given, objects: Objects, folder: Path | None, start: int) -> Iterator[Job]:
    """The images in order; the streams are read side by side, to their ends."""
    proposals = given.proposals.records() if given.proposals else iter(())
    maps = given.maps.records(start) if given.maps else None
    for i in range(start, len(objects)):
        name, size = objects.images[i], objects.sizes[i]
        record = next(maps) if maps else None
        regions = next((one for one in proposals if one.name == name), None)
        rows = objects.rows(i)
        if not size.all() or any(one is not None and one.failed for one in (record, regions)):
            yield Job(None)
            continue
        windows = objects.columns["window"][rows.start : rows.stop]
        scene = Scene(
            (int(size[0]), int(size[1])),
            objects.columns["box"][rows.start : rows.stop],
            windows,
            _maps(record, objects, i) if record else [None] * len(rows),
            regions.proposals if regions else None,
        )
        yield Job(scene, folder / name if folder else None)
    for rest in (maps or (), proposals):
        for _ in rest:  # the checksum stands at the end
            pass


def _maps(record: store.Record, objects: Objects, i: int) -> list[np.ndarray | None]:
    """The map of each box, in the box's window: that of the same number."""
    rows = objects.rows(i)
    theirs = record.header.rows(record.index, "box")
    if record.header.columns["window"] is objects.columns["window"]:
        return list(record.windows)
    numbers = record.header.columns["box_id"][theirs].tolist()
    corners = record.header.columns["window"][theirs]
    found: list[np.ndarray | None] = []
    for row in rows:
        number = int(objects.columns["box_id"][row])
        if number not in numbers:
            found.append(None)
            continue
        k = numbers.index(number)
        window = objects.columns["window"][row].tolist()
        found.append(in_window(record.windows[k], corners[k].tolist(), window))
    return found
