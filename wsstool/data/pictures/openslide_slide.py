"""Slides of the scanners' own formats, through OpenSlide; needs the extra ``wsi``."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from wsstool.data.pictures.picture import Picture
from wsstool.data.pictures.slide import Level, levels_of
from wsstool.data.pictures.tiff import MOST_PIXELS
from wsstool.errors import BadInputError, MissingInputError


def is_installed() -> bool:
    """Whether the package of the extra ``wsi`` is there; its library may come from the system."""
    return find_spec("openslide") is not None


def recognises(path: Path) -> bool:
    """Whether OpenSlide knows the format of a file."""
    return _openslide(path).OpenSlide.detect_format(str(path)) is not None


def _openslide(path: Path) -> Any:
    """Import OpenSlide.

    Raises:
        MissingInputError: the package or its library is missing.
    """
    try:
        import openslide
    except (ImportError, OSError):  # the library is looked for on import
        has_library = is_installed() and find_spec("openslide_bin") is not None
        what = "openslide, which cannot be loaded" if has_library else "openslide"
        raise MissingInputError(f"slide {str(path)!r} needs {what}: pip install 'wsstool[wsi]'") from None
    return openslide


class OpenSlideSlide:
    """A slide of a format that OpenSlide knows; see ``Slide``.

    Raises:
        MissingInputError: OpenSlide is not installed.
        BadInputError: not a slide, or damaged.
    """

    def __init__(self, path: Path) -> None:
        openslide = _openslide(path)
        self._path = path
        try:
            self._slide = openslide.OpenSlide(str(path))
            sizes = [(rows, columns) for columns, rows in self._slide.level_dimensions]
            properties = dict(self._slide.properties)
        except openslide.OpenSlideUnsupportedFormatError:
            raise BadInputError(f"{str(path)!r} is not a slide of a format that OpenSlide knows") from None
        except openslide.OpenSlideError as error:
            raise BadInputError(f"slide {str(path)!r} is damaged or truncated ({error})") from None
        if not sizes or any(not 0 < rows * columns <= MOST_PIXELS for rows, columns in sizes):
            self.close()
            raise BadInputError(f"slide {str(path)!r} has no levels, or one of an impossible size")
        self.format = str(properties.get("openslide.vendor", "openslide"))
        self.mpp = _number(properties.get("openslide.mpp-x"))
        self.levels: tuple[Level, ...] = levels_of(sizes)

    def level(self, number: int) -> Picture:
        return _OpenSlideLevel(self._slide, self._path, number, self.levels[number])

    def close(self) -> None:
        self._slide.close()


class _OpenSlideLevel:
    """One level; see ``Picture``. What was not scanned is white.

    OpenSlide takes corners in whole pixels of level 0, so that a region may lie off by half of one.
    """

    def __init__(self, slide: Any, path: Path, number: int, level: Level) -> None:
        self._slide, self._path, self._number = slide, path, number
        self.size = level.size
        self._downsample = slide.level_downsamples[number]

    def region(self, top: int, left: int, rows: int, columns: int) -> np.ndarray:
        corner = round(left * self._downsample), round(top * self._downsample)
        try:
            found = np.asarray(self._slide.read_region(corner, self._number, (columns, rows)))
        except Exception as error:  # OpenSlide's own, and what Pillow makes of the pixels
            raise BadInputError(f"slide {str(self._path)!r} is damaged or truncated ({error})") from None
        alpha = found[..., 3:].astype(np.uint16)
        blended = (found[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
        return blended.astype(np.uint8)

    def close(self) -> None:
        """Nothing to close: the file is the slide's."""


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 < value < float("inf") else None
