"""Slides stored as TIFF: Aperio SVS, OME-TIFF, and plain pyramids."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import tifffile

from wsstool.data.images import explained
from wsstool.data.pictures.picture import Picture
from wsstool.data.pictures.slide import Level, SingleSlide, Slide, levels_of
from wsstool.data.pictures.tiff import MOST_PIXELS, TiffPicture, UnsupportedTiffError, level_sizes
from wsstool.errors import BadInputError, MissingInputError
from wsstool.image_size import MAX_PIXELS

logging.getLogger("tifffile").addHandler(logging.NullHandler())
# What it logs about a damaged file would stand on stderr beside the one sentence.

_MICRONS = {"": 1.0, "µm": 1.0, "um": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4}
"""Microns of a unit of OME, whose default is the micron."""

_OME = re.compile(r'PhysicalSizeX="([^"]+)"')
_OME_UNIT = re.compile(r'PhysicalSizeXUnit="([^"]*)"')
_APERIO = re.compile(r"\|\s*MPP\s*=\s*([^|\s]+)")


def open_tiff_slide(path: Path) -> Slide:
    """Open a slide stored as TIFF.

    A form that is not read in parts here is left to OpenSlide, if that is installed, or decoded whole.

    Raises:
        MissingInputError: no permission, or a form that needs the extra ``wsi``.
        BadInputError: not a TIFF, damaged, truncated, or of a form that nothing reads.
    """
    try:
        with explained(path):
            return TiffSlide(path)
    except UnsupportedTiffError as error:
        return _opened_otherwise(path, error)


def _opened_otherwise(path: Path, error: UnsupportedTiffError) -> Slide:
    from wsstool.data.pictures import openslide_slide

    if openslide_slide.is_installed() and openslide_slide.recognises(path):
        return openslide_slide.OpenSlideSlide(path)
    if error.size[0] * error.size[1] <= MAX_PIXELS:
        try:
            return SingleSlide(path, "tiff")
        except BadInputError:
            pass  # neither decodes it
    if openslide_slide.is_installed():
        raise BadInputError(f"slide {str(path)!r} {error}, which is not read")
    raise MissingInputError(
        f"slide {str(path)!r} {error}, which needs openslide: pip install 'wsstool[wsi]'"
    ) from None


class TiffSlide:
    """A TIFF whose levels are read tile by tile; see ``Slide``.

    Args:
        path: the file.

    Raises:
        UnsupportedTiffError: a form that is not read in parts.
        BadInputError: no pages, or a level without pixels or with too many.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: list[TiffPicture] = []
        with tifffile.TiffFile(path) as file:
            if not len(file.pages) or not file.series:
                raise BadInputError(f"slide {str(path)!r} is damaged or truncated (no page is found in it)")
            page = file.pages.first
            sizes = level_sizes(file)
            for rows, columns in sizes:
                if not 0 < rows * columns <= MOST_PIXELS:
                    raise BadInputError(f"slide {str(path)!r} claims a level of {columns} x {rows} pixels")
            _check_compression(page, sizes[0])
            self.format = "svs" if file.is_svs else "ome-tiff" if file.is_ome else "tiff"
            self.mpp = _microns(file, page)
        first = self._opened(0)
        if first.size != sizes[0]:  # turned on its side; other levels rarely say so
            sizes = [first.size]
        self.levels: tuple[Level, ...] = levels_of(sizes)

    def _opened(self, number: int) -> TiffPicture:
        with explained(self._path):
            picture = TiffPicture(self._path, number)
        self._open.append(picture)
        return picture

    def level(self, number: int) -> Picture:
        return self._opened(number) if number else self._open[0]

    def close(self) -> None:
        for picture in self._open:
            picture.close()


def _check_compression(page: tifffile.TiffPage, size: tuple[int, int]) -> None:
    if page.compression == 7 and page.bitspersample == 8:
        return
    try:
        tifffile.TIFF.DECOMPRESSORS[page.compression]
    except KeyError:
        name = str(getattr(page.compression, "name", page.compression))
        raise UnsupportedTiffError(f"is compressed as {name}", size) from None


def _microns(file: tifffile.TiffFile, page: tifffile.TiffPage) -> float | None:
    """Microns per pixel as Aperio or OME state them, or from a resolution per centimetre.

    A resolution per inch is what programs for printing write, 72 or 96 whatever the picture.
    """
    text = page.description
    if file.is_ome:
        unit = _OME_UNIT.search(text)
        return _positive(_OME.search(text), _MICRONS.get(unit[1] if unit else ""))
    if file.is_svs:
        return _positive(_APERIO.search(text), 1.0)
    resolution, unit = page.tags.valueof(282), page.tags.valueof(296)
    if unit is None or int(unit) != 3 or not resolution or not all(resolution):
        return None
    return 1e4 * resolution[1] / resolution[0]


def _positive(found: re.Match[str] | None, factor: float | None) -> float | None:
    try:
        value = float(found[1]) * factor if found and factor else 0.0
    except ValueError:
        return None
    return value if 0 < value < float("inf") else None
