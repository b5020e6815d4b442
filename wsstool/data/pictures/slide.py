"""A slide: a picture in several resolutions, with the size of a pixel on the glass if the file states it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

from wsstool.data.pictures.picture import Picture, WholePicture


class Level(NamedTuple):
    """One resolution of a slide.

    Attributes:
        size: rows and columns.
        downsample: pixels of the full resolution per pixel of this one.
    """

    size: tuple[int, int]
    downsample: float


class Slide(Protocol):
    """An open slide; ``close`` when done.

    Attributes:
        format: what the reader calls it, such as ``svs``.
        levels: the largest first; at least one.
        mpp: microns per pixel of level 0, or None if the file does not say.
    """

    format: str
    levels: tuple[Level, ...]
    mpp: float | None

    def level(self, number: int) -> Picture:
        """Open one level, from which regions are read; the slide must stay open meanwhile.

        Raises:
            BadInputError: the level is damaged, or stored in a form that is not read.
        """

    def close(self) -> None:
        """Close the file."""


class SingleSlide:
    """An image of one resolution, decoded whole; see ``Slide``."""

    def __init__(self, path: Path, format: str = "image") -> None:
        self.format = format
        self.mpp: float | None = None
        self._picture = WholePicture(path)
        self.levels: tuple[Level, ...] = (Level(self._picture.size, 1.0),)

    def level(self, number: int) -> Picture:
        return self._picture

    def close(self) -> None:
        self._picture.close()


def levels_of(sizes: list[tuple[int, int]]) -> tuple[Level, ...]:
    """Return the levels of a pyramid from their sizes, the largest first.

    The sides of a level are rounded, so that their ratio to the full size overstates a factor of 8 as 8.04
    where few pixels are left, which moves the far corner of a slide by many. A whole factor that explains
    both sides is therefore taken instead.

    >>> [level.downsample for level in levels_of([(1484, 1110), (371, 277), (185, 138), (100, 75)])]
    [1.0, 4.0, 8.0, 14.82]
    """
    rows, columns = sizes[0]
    found = []
    for size in sizes:
        ratio = (rows / size[0] + columns / size[1]) / 2
        whole = round(ratio)
        fits = abs(rows / whole - size[0]) < 1 and abs(columns / whole - size[1]) < 1
        found.append(Level(size, float(whole) if fits else ratio))
    return tuple(found)
