"""A slide at a level, or at as many microns per pixel as asked for."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from PIL import Image

from wsstool.data.pictures.picture import Picture
from wsstool.data.pictures.slide import Slide
from wsstool.errors import BadInputError

SAME = 0.02
"""Resolutions that differ by less are one: a scanner states 0.4990 where 0.5 is meant."""

_SOURCE = 16 << 20  #: pixels that are read at once to make one reduced region


class View(NamedTuple):
    """A slide at one resolution.

    Attributes:
        picture: to read regions of.
        level: of the slide from which it is read.
        downsample: pixels of the full resolution per pixel, 1 or more.
        mpp: microns per pixel, or None if the slide does not say.
    """

    picture: Picture
    level: int
    downsample: float
    mpp: float | None


def at_level(slide: Slide, number: int, name: str) -> View:
    """Return a level of the pyramid.

    Raises:
        BadInputError: no such level; those that exist are listed.
    """
    if not 0 <= number < len(slide.levels):
        raise BadInputError(f"slide {name!r} has no level {number}; it has {levels_in_words(slide)}")
    downsample = slide.levels[number].downsample
    return View(slide.level(number), number, downsample, slide.mpp and slide.mpp * downsample)


def at_mpp(slide: Slide, mpp: float, name: str) -> View:
    """Return the slide at a resolution: a level of it, or the next finer one reduced by averaging.

    Args:
        slide: which states its microns per pixel.
        mpp: microns per pixel, above 0.
        name: of the slide, for messages.

    Raises:
        BadInputError: the slide does not state its microns, is coarser than asked for, or would be left
            without a pixel.
    """
    if slide.mpp is None:
        raise BadInputError(f"slide {name!r} does not state its microns per pixel; choose a level instead")
    wanted = mpp / slide.mpp
    if wanted < 1 - SAME:
        raise BadInputError(
            f"slide {name!r} has {slide.mpp:g} microns per pixel; {mpp:g} would be finer than it was scanned"
        )
    for number, level in enumerate(slide.levels):
        if abs(level.downsample / wanted - 1) < SAME:
            return at_level(slide, number, name)
    finer = [n for n, level in enumerate(slide.levels) if level.downsample < wanted]
    number = max(finer, key=lambda n: slide.levels[n].downsample)
    level = slide.levels[number]
    if min(level.size) * level.downsample < wanted:
        raise BadInputError(f"slide {name!r} has no pixel left at {mpp:g} microns per pixel")
    return View(Reduced(slide.level(number), wanted / level.downsample), number, wanted, mpp)


def levels_in_words(slide: Slide) -> str:
    """Return the levels of a slide with their sizes, for a message."""
    return ("levels " if len(slide.levels) > 1 else "only level ") + ", ".join(
        f"{n} ({level.size[1]} x {level.size[0]})" for n, level in enumerate(slide.levels)
    )


class Reduced:
    """A picture made smaller, region by region as if it were reduced at once; see ``Picture``.

    Args:
        picture: the picture.
        factor: its pixels per pixel of the result, above 1; not a whole number as a rule.
    """

    def __init__(self, picture: Picture, factor: float) -> None:
        self._picture, self._factor = picture, factor
        self.size = int(picture.size[0] / factor), int(picture.size[1] / factor)

    def region(self, top: int, left: int, rows: int, columns: int) -> np.ndarray:
        step = max(1, int(_SOURCE / (columns * self._factor**2)))
        parts = [
            self._part(y, left, min(step, top + rows - y), columns) for y in range(top, top + rows, step)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _part(self, top: int, left: int, rows: int, columns: int) -> np.ndarray:
        """Reduce a region with what lies around it, over which the filter reaches."""
        factor, margin = self._factor, math.ceil(self._factor) + 1
        (first, end), (start, stop) = (
            (max(0, int(at * factor) - margin), min(side, math.ceil((at + length) * factor) + margin))
            for at, length, side in zip((top, left), (rows, columns), self._picture.size, strict=True)
        )
        source = Image.fromarray(self._picture.region(first, start, end - first, stop - start))
        box = (
            left * factor - start,
            top * factor - first,
            min((left + columns) * factor - start, stop - start),
            min((top + rows) * factor - first, end - first),
        )
        return np.array(source.resize((columns, rows), Image.Resampling.BILINEAR, box=box))

    def close(self) -> None:
        self._picture.close()
