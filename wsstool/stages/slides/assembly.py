"""Label maps of tiles, put together into one label map per slide, on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from wsstool import store
from wsstool.atomic import write_errors
from wsstool.errors import BadInputError
from wsstool.stages.slides.tile_set import TiledSlide
from wsstool.types import IGNORE, Messages, tracked


class SlideMap:
    """The label map of a slide at the resolution of its tiles, in a sparse file.

    The file holds 255 minus the label, so that what no tile covers, unwritten and zero, reads as 255.

    Args:
        slide: the slide.
        path: of the file.
    """

    def __init__(self, slide: TiledSlide, path: Path) -> None:
        self.slide = slide
        self._inverse = np.memmap(path, np.uint8, "w+", shape=slide.grid.size)

    def put(self, top: int, left: int, labels: np.ndarray) -> None:
        """Put in the label map of a tile: its share, and what lies beyond where nothing is yet."""
        rows, columns = labels.shape
        place = self._inverse[top : top + rows, left : left + columns]
        inverse = IGNORE - labels
        np.copyto(place, inverse, where=place == 0)
        own = self.slide.grid.share(top, left)
        down, across = (slice(s.start - at, s.stop - at) for s, at in zip(own, (top, left), strict=True))
        place[down, across] = inverse[down, across]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.slide.grid.size

    def __getitem__(self, place: tuple[slice, slice]) -> np.ndarray:
        """Labels of a part, uint8; 255 where there is none."""
        return IGNORE - self._inverse[place]


def assembled(
    reader: store.Reader, slides: Sequence[TiledSlide], layer: int, folder: Path, messages: Messages
) -> list[SlideMap]:
    """Put together the label maps of a ``mask`` file, by the names of its images.

    Args:
        reader: the file; tiles that it lacks, or that failed, remain 255.
        slides: of the tile set.
        layer: number of the layer.
        folder: for the files of the maps, which take the slides' pixels as bytes at most.
        messages: receives progress.

    Returns:
        the maps of the slides of which the file has an image, in the order of ``slides``.

    Raises:
        BadInputError: an image that is no tile of the set, or of another size.
        CannotWriteError: no space.
    """
    header = reader.header
    places = {
        (slide.name, slide.grid.name(*place)): (k, *place)
        for k, slide in enumerate(slides)
        for place in slide.grid.places()
    }
    where = []
    for name, size in zip(header.images, header.sizes.tolist(), strict=True):
        found = places.get((PurePosixPath(name).parent.name, PurePosixPath(name).name))
        if found is None:
            raise BadInputError(f"image '{name}' of the input is not in the tile set")
        if tuple(size) not in (slides[found[0]].grid.shape(), (0, 0)):
            raise BadInputError(
                f"image '{name}' of the input has {size[1]} x {size[0]} pixels, unlike the tile of that name"
            )
        where.append(found)
    maps: dict[int, SlideMap] = {}
    with write_errors(folder):
        for k in sorted({found[0] for found in where}):
            maps[k] = SlideMap(slides[k], folder / f"{k}.labels")
    for record in tracked(reader.records(), messages, len(header), "tiles"):
        if not record.failed:
            k, top, left = where[record.index]
            maps[k].put(top, left, record.data[layer])
    return list(maps.values())
