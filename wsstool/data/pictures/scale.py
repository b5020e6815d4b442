"""The scale at which the images of a data folder are read, which may be slides."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsstool.data.pictures.opening import SLIDE_SUFFIXES, open_slide
from wsstool.data.pictures.picture import Picture, open_picture, picture_size
from wsstool.data.pictures.resolution import View, at_level, at_mpp
from wsstool.data.pictures.slide import Slide


@dataclass(frozen=True)
class Scale:
    """A level of slides and pyramids, or a resolution.

    Attributes:
        level: number of a level; 0 is the full resolution.
        mpp: microns per pixel, in place of ``level``; or None.
    """

    level: int = 0
    mpp: float | None = None

    def view(self, slide: Slide, name: str) -> View:
        """Return a slide at this scale.

        Raises:
            BadInputError: it has no such level, or does not reach or state the resolution.
        """
        return at_level(slide, self.level, name) if self.mpp is None else at_mpp(slide, self.mpp, name)


FULL = Scale()


def open_at(path: Path, at: Scale | None) -> Picture:
    """Open an image or a slide to read regions of it.

    Args:
        path: the file.
        at: the scale; None: the full resolution.

    Raises:
        MissingInputError: no such file, no permission to read it, or a slide that needs OpenSlide.
        BadInputError: not a picture, damaged, too large to be read, or without the scale.
    """
    if at is None and path.suffix.lower() not in SLIDE_SUFFIXES:
        return open_picture(path)
    slide = open_slide(path)
    try:
        return _OfSlide(slide, (at or FULL).view(slide, str(path)).picture)
    except BaseException:
        slide.close()
        raise


def size_at(path: Path, at: Scale | None) -> tuple[int, int]:
    """Return rows and columns of an image or a slide at a scale, from the header where that is enough.

    Raises:
        MissingInputError, BadInputError: see ``open_at``.
    """
    if at is None and path.suffix.lower() not in SLIDE_SUFFIXES:
        return picture_size(path)
    picture = open_at(path, at)
    picture.close()
    return picture.size


class _OfSlide:
    """A picture that closes its slide; see ``Picture``."""

    def __init__(self, slide: Slide, picture: Picture) -> None:
        self._slide, self._picture, self.size = slide, picture, picture.size

    def region(self, top: int, left: int, rows: int, columns: int) -> np.ndarray:
        return self._picture.region(top, left, rows, columns)

    def close(self) -> None:
        self._picture.close()
        self._slide.close()
