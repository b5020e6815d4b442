"""Tiles of equal size over a picture, and the part of the picture that each of them answers for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from wsstool.errors import UsageError

TILE_SET = "tiles.json"
"""File in a data folder of tiles that says where they lie."""


class TileGrid(NamedTuple):
    """Where tiles lie, in pixels of the picture that they cut.

    Attributes:
        size: rows and columns of the picture.
        side: rows and columns of a tile; fewer where the picture is smaller.
        tops, lefts: first rows and columns of the tiles, rising.
        downsample: pixels of the full resolution per pixel of the picture, 1 or more.
    """

    size: tuple[int, int]
    side: int
    tops: tuple[int, ...]
    lefts: tuple[int, ...]
    downsample: float

    def places(self) -> Iterator[tuple[int, int]]:
        """Yield top and left of every tile, row by row."""
        return ((top, left) for top in self.tops for left in self.lefts)

    def shape(self) -> tuple[int, int]:
        """Rows and columns of each tile."""
        return min(self.side, self.size[0]), min(self.side, self.size[1])

    def name(self, top: int, left: int) -> str:
        """Return the file name of a tile: x and y of its corner in pixels of the full resolution.

        >>> tile_grid((900, 900), 512, 0, 4.0).name(388, 0)
        'x00000000_y00001552.png'
        """
        return f"x{round(left * self.downsample):08d}_y{round(top * self.downsample):08d}.png"

    def share(self, top: int, left: int) -> tuple[slice, slice]:
        """Return the rows and columns of the picture that belong to a tile: overlaps are cut in the middle.

        >>> tile_grid((900, 900), 512, 0, 4.0).share(388, 0)
        (slice(450, 900, None), slice(0, 450, None))
        """
        return _share(self.tops, top, self.side, self.size[0]), _share(
            self.lefts, left, self.side, self.size[1]
        )


def tile_grid(size: tuple[int, int], side: int, overlap: int, downsample: float) -> TileGrid:
    """Lay tiles over a picture; the last ones are moved inwards, so that all have full size.

    Args:
        size: rows and columns of the picture, 1 or more.
        side: rows and columns of a tile, 1 or more.
        overlap: rows and columns that neighbours share at least, below ``side``.
        downsample: of the picture.

    Raises:
        UsageError: an overlap that leaves no step.

    >>> tile_grid((900, 400), 512, 0, 1.0)[2:4]
    ((0, 388), (0,))
    """
    if not 0 <= overlap < side:
        raise UsageError(f"--overlap {overlap}: give fewer pixels than the {side} of a tile")
    tops, lefts = (_starts(length, side, side - overlap) for length in size)
    return TileGrid(size, side, tops, lefts, downsample)


def _starts(length: int, side: int, step: int) -> tuple[int, ...]:
    if length <= side:
        return (0,)
    return (*range(0, length - side, step), length - side)


def _share(starts: tuple[int, ...], start: int, side: int, length: int) -> slice:
    k = starts.index(start)
    first = 0 if k == 0 else (starts[k - 1] + side + start) // 2
    end = length if k == len(starts) - 1 else (start + side + starts[k + 1]) // 2
    return slice(first, end)
