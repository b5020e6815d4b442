"""Regions of TIFF files, plain, tiled, or pyramids, decoded segment by segment."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import tifffile

from wsstool.data.images import eight_bits, explained
from wsstool.data.pictures.jpeg_tile import decode_jpeg
from wsstool.errors import BadInputError
from wsstool.image_size import MOST_PIXELS

_CACHED = 192 << 20  #: bytes of decoded segments that are kept: windows overlap, and strips run across all
_LARGEST_SEGMENT = 1 << 29  #: bytes of one segment; files in one piece are beyond it, and so are bombs

_TURNS = {2: "x", 3: "yx", 4: "y", 5: "t", 6: "yt", 7: "yxt", 8: "xt"}
"""EXIF orientation -> what makes the picture upright: y, x: rows, columns in reverse; t: then transposed."""

_COLOURS = (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.MINISWHITE, tifffile.PHOTOMETRIC.RGB)


class UnsupportedTiffError(BadInputError):
    """A TIFF that cannot be read in parts; the message completes "image ... ".

    Attributes:
        size: rows and columns.
    """

    def __init__(self, why: str, size: tuple[int, int]) -> None:
        super().__init__(why)
        self.size = size


class TiffPicture:
    """The first page of a TIFF file, or one level of its pyramid.

    Args:
        path: the file.
        level: of the pyramid; 0 is the full size.

    Raises:
        UnsupportedTiffError: colours or a layout that are read only whole.
        BadInputError: no such level, damaged, or more than ``MOST_PIXELS``.
    """

    def __init__(self, path: str | os.PathLike[str], level: int = 0) -> None:
        self._path = Path(path)
        self._file = tifffile.TiffFile(path)
        try:
            self._page = self._page_of(level)
            self._lock = threading.Lock()
            self._cache: OrderedDict[int, np.ndarray | None] = OrderedDict()
            self._cached = 0
            orientation = self._page.tags.get(274)
            self._turn = _TURNS.get(int(orientation.value) if orientation is not None else 1, "")
            stored = self._page.imagelength, self._page.imagewidth
            self.size: tuple[int, int] = stored[::-1] if "t" in self._turn else stored
            self._check()
        except BaseException:
            self.close()
            raise

    def _page_of(self, level: int) -> tifffile.TiffPage:
        if level == 0:
            return self._file.pages.first
        levels = level_sizes(self._file)
        if level >= len(levels):
            last = len(levels) - 1
            has = "only level 0" if not last else f"levels 0 to {last}"
            raise BadInputError(f"image {str(self._path)!r} has no level {level}, but {has}")
        page = self._file.series[0].levels[level].pages[0]
        assert page is not None
        return page.aspage()

    def _check(self) -> None:
        page = self._page
        if self.size[0] * self.size[1] > MOST_PIXELS:
            raise BadInputError(f"image {str(self._path)!r} claims more than {MOST_PIXELS:,} pixels")
        if page.imagedepth != 1 or page.dtype is None:
            raise UnsupportedTiffError("has a form of samples that is not read in parts", self.size)
        is_jpeg = page.compression in (6, 7)
        colour = page.photometric
        if colour not in _COLOURS and not (colour == tifffile.PHOTOMETRIC.YCBCR and is_jpeg):
            name = getattr(colour, "name", str(colour)).lower()
            raise UnsupportedTiffError(f"is a TIFF of colours '{name}'", self.size)
        if page.samplesperpixel == 2 or (page.samplesperpixel > 3 and page.extrasamples):
            kinds = {int(one) for one in page.extrasamples}
            if kinds & {1, 2}:
                raise UnsupportedTiffError("is a TIFF with transparency", self.size)
        segment = self._segment_rows * self._segment_columns * self._samples * page.dtype.itemsize
        if segment > _LARGEST_SEGMENT and not self._is_plain:
            raise UnsupportedTiffError("is a TIFF in one compressed piece", self.size)
        down, across = self._grid
        planes = page.samplesperpixel if self._is_planar else 1
        if len(page.dataoffsets) < down * across * planes:
            raise BadInputError(
                f"image {str(self._path)!r} is damaged or truncated (it lists {len(page.dataoffsets)} of "
                f"{down * across * planes} parts)"
            )

    @property
    def _is_planar(self) -> bool:
        return self._page.planarconfig == tifffile.PLANARCONFIG.SEPARATE and self._page.samplesperpixel > 1

    @property
    def _samples(self) -> int:
        return 1 if self._is_planar else self._page.samplesperpixel

    @property
    def _is_plain(self) -> bool:
        """Whether the samples stand in the file as they are, row after row."""
        page = self._page
        return page.compression == 1 and not page.is_tiled and page.bitspersample in (8, 16, 32, 64)

    @property
    def _segment_rows(self) -> int:
        page = self._page
        return (
            page.tilelength if page.is_tiled else min(page.rowsperstrip or page.imagelength, page.imagelength)
        )

    @property
    def _segment_columns(self) -> int:
        return self._page.tilewidth if self._page.is_tiled else self._page.imagewidth

    @property
    def _grid(self) -> tuple[int, int]:
        """Rows and columns of segments."""
        page = self._page
        return -(-page.imagelength // self._segment_rows), -(-page.imagewidth // self._segment_columns)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def region(self, top: int, left: int, rows: int, columns: int) -> np.ndarray:
        """Read a part, see ``Picture``."""
        if "t" in self._turn:
            top, left, rows, columns = left, top, columns, rows
        if "y" in self._turn:
            top = self._page.imagelength - top - rows
        if "x" in self._turn:
            left = self._page.imagewidth - left - columns
        with explained(self._path):
            pixels = self._rgb(self._stored(top, left, rows, columns))
        pixels = pixels[:: -1 if "y" in self._turn else 1, :: -1 if "x" in self._turn else 1]
        return np.ascontiguousarray(pixels.swapaxes(0, 1) if "t" in self._turn else pixels)

    def samples(self, top: int, left: int, rows: int, columns: int) -> np.ndarray:
        """Read a part as it is stored, (rows, columns, S) of the file's own type, without turning it."""
        with explained(self._path):
            return self._stored(top, left, rows, columns)

    def _stored(self, top: int, left: int, rows: int, columns: int) -> np.ndarray:
        page = self._page
        out = np.zeros((rows, columns, page.samplesperpixel), page.dtype)
        down, across = self._grid
        height, width = self._segment_rows, self._segment_columns
        for plane in range(page.samplesperpixel if self._is_planar else 1):
            samples = slice(plane, plane + 1) if self._is_planar else slice(None)
            for i in range(top // height, -(-(top + rows) // height)):
                for j in range(left // width, -(-(left + columns) // width)):
                    y, x = i * height, j * width
                    first, end = max(top, y), min(top + rows, y + height, page.imagelength)
                    start, stop = max(left, x), min(left + columns, x + width)
                    number = (plane * down + i) * across + j
                    part = self._segment_part(number, first - y, end - y)
                    if part is not None:
                        out[first - top : end - top, start - left : stop - left, samples] = part[
                            :, start - x : stop - x
                        ]
        return out

    def _segment_part(self, number: int, first: int, end: int) -> np.ndarray | None:
        """Rows ``first`` to ``end`` of a segment, (rows, columns, samples); None where nothing is stored."""
        if self._is_plain:
            return self._plain_rows(number, first, end)
        segment = self._segment(number)
        return None if segment is None else segment[first:end]

    def _plain_rows(self, number: int, first: int, end: int) -> np.ndarray:
        """Read no more rows than asked for: the file may be a single strip."""
        page = self._page
        dtype = np.dtype(page.dtype).newbyteorder(self._file.byteorder)
        row = page.imagewidth * self._samples
        length = (end - first) * row * dtype.itemsize
        with self._lock:
            file = self._file.filehandle
            file.seek(page.dataoffsets[number] + first * row * dtype.itemsize)
            data = file.read(length)
        if len(data) < length:
            raise BadInputError(f"image {str(self._path)!r} is damaged or truncated (its pixels end early)")
        return np.frombuffer(data, dtype).reshape(end - first, page.imagewidth, self._samples)

    def _segment(self, number: int) -> np.ndarray | None:
        with self._lock:
            if number in self._cache:
                self._cache.move_to_end(number)
                return self._cache[number]
            data = self._data(number)
        found = self._decoded(number, data) if data else None
        with self._lock:
            if number not in self._cache:
                self._cache[number] = found
                self._cached += 0 if found is None else found.nbytes
                while self._cached > _CACHED and len(self._cache) > 1:
                    _, old = self._cache.popitem(last=False)
                    self._cached -= 0 if old is None else old.nbytes
        return found

    def _data(self, number: int) -> bytes:
        page = self._page
        count = page.databytecounts[number]
        if count > _LARGEST_SEGMENT:
            raise BadInputError(f"image {str(self._path)!r} is damaged (a part of {count:,} bytes)")
        if not count:
            return b""
        file = self._file.filehandle
        file.seek(page.dataoffsets[number])
        data = file.read(count)
        if len(data) < count:
            raise BadInputError(f"image {str(self._path)!r} is damaged or truncated (its pixels end early)")
        return data

    def _decoded(self, number: int, data: bytes) -> np.ndarray | None:
        page = self._page
        if page.compression == 7 and page.bitspersample == 8:
            is_rgb = page.photometric == tifffile.PHOTOMETRIC.RGB
            return decode_jpeg(data, page.jpegtables, is_rgb=is_rgb)
        found = page.decode(data, number, jpegtables=page.jpegtables)[0]
        return None if found is None else found[0]  # one plane of depth

    def _rgb(self, samples: np.ndarray) -> np.ndarray:
        pixels = eight_bits(samples, self._is_unit) if samples.dtype.kind == "f" else eight_bits(samples)
        if self._page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
            pixels = 255 - pixels
        return pixels[..., :3] if pixels.shape[2] >= 3 else np.repeat(pixels[..., :1], 3, axis=2)

    @cached_property
    def _is_unit(self) -> bool:
        """Whether no float sample is above 1; reads the whole picture once, in parts."""
        return all(not (part > 1).any() for part in self._parts())

    def _parts(self) -> Iterator[np.ndarray]:
        step = max(1, (16 << 20) // (self._page.imagewidth * self._page.samplesperpixel))
        for top in range(0, self._page.imagelength, step):
            rows = min(step, self._page.imagelength - top)
            yield np.nan_to_num(self._stored(top, 0, rows, self._page.imagewidth))


def level_sizes(file: tifffile.TiffFile) -> list[tuple[int, int]]:
    """Return rows and columns of each level of the pyramid of a TIFF file, the largest first."""
    pages = (level.keyframe for level in file.series[0].levels)
    return [(page.imagelength, page.imagewidth) for page in pages]
