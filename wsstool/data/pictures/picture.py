"""A picture that is read region by region, of any size that its format can hold."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import numpy as np

from wsstool.data.images import explained, image_size, read_image
from wsstool.errors import BadInputError, MissingInputError
from wsstool.image_size import MAX_PIXELS

TIFF_SUFFIXES = (".tif", ".tiff")


class Picture(Protocol):
    """An open picture, used from several threads; ``close`` when done.

    Attributes:
        size: rows and columns.
    """

    size: tuple[int, int]

    def region(self, top: int, left: int, rows: int, columns: int) -> np.ndarray:
        """Read a part that lies inside the picture: (rows, columns, 3) uint8 RGB, as ``read_image`` has it.

        Raises:
            BadInputError: the file is damaged or truncated there; it is named.
        """

    def close(self) -> None:
        """Close the file."""


class WholePicture:
    """A picture of a format without regions, decoded at once.

    Args:
        path: of a file that ``read_image`` opens.

    Raises:
        BadInputError, MissingInputError: see ``read_image``.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._pixels = read_image(path)
        self.size: tuple[int, int] = self._pixels.shape[:2]

    def region(self, top: int, left: int, rows: int, columns: int) -> np.ndarray:
        return self._pixels[top : top + rows, left : left + columns]

    def close(self) -> None:
        self._pixels = np.empty((0, 0, 3), np.uint8)


def open_picture(path: str | os.PathLike[str]) -> Picture:
    """Open a picture to read regions of it.

    A TIFF is read tile by tile or strip by strip, whatever its size; other formats are decoded at once.

    Raises:
        MissingInputError: no such file, or no permission to read it.
        BadInputError: not a picture, damaged, or of a form that cannot be read in parts and is too large.
    """
    path = Path(path)
    if path.suffix.lower() not in TIFF_SUFFIXES:
        return WholePicture(path)
    from wsstool.data.pictures.tiff import TiffPicture, UnsupportedTiffError

    with explained(path):
        if path.exists() and not path.is_file():
            raise BadInputError(f"image {str(path)!r} is not a regular file")
        try:
            return TiffPicture(path)
        except UnsupportedTiffError as error:
            rows, columns = error.size
            if rows * columns > MAX_PIXELS:
                raise BadInputError(
                    f"image {str(path)!r} {error}, which is read only whole, and has more than "
                    f"{MAX_PIXELS:,} pixels; store it as a tiled RGB TIFF"
                ) from None
    return WholePicture(path)


def picture_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return rows and columns of a picture, from the header alone; also of those that only fit in parts.

    Raises:
        MissingInputError, BadInputError: see ``image_size`` and ``open_picture``.
    """
    try:
        return image_size(path)
    except MissingInputError:
        raise
    except BadInputError:
        if Path(path).suffix.lower() not in TIFF_SUFFIXES:
            raise
        picture = open_picture(path)
        picture.close()
        return picture.size
