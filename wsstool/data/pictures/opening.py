"""Open a slide with the reader of its format, recognised by the ending of its name."""

from __future__ import annotations

import os
from pathlib import Path

from wsstool.data.images import SUFFIXES
from wsstool.data.pictures.picture import TIFF_SUFFIXES
from wsstool.data.pictures.slide import SingleSlide, Slide
from wsstool.errors import BadInputError, MissingInputError

OPENSLIDE_SUFFIXES = (".ndpi", ".vms", ".vmu", ".scn", ".mrxs", ".svslide", ".bif", ".czi", ".dcm")
"""Formats that only OpenSlide reads, lower case."""

SLIDE_SUFFIXES = frozenset((".svs", *OPENSLIDE_SUFFIXES))
"""File name suffixes of slides that are not those of images, lower case."""


def open_slide(path: str | os.PathLike[str]) -> Slide:
    """Open a slide, a pyramid TIFF, or an image of one resolution.

    Raises:
        MissingInputError: no such file, no permission, or the format needs the extra ``wsi``.
        BadInputError: not a slide, damaged, truncated, or of a form that is not read.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if not path.exists() and not path.is_symlink():
        raise MissingInputError(f"there is no slide {str(path)!r}")
    if not path.is_file():
        raise BadInputError(f"slide {str(path)!r} is not a regular file")
    if suffix in TIFF_SUFFIXES or suffix == ".svs":
        from wsstool.data.pictures.tiff_slide import open_tiff_slide

        return open_tiff_slide(path)
    if suffix in OPENSLIDE_SUFFIXES:
        from wsstool.data.pictures.openslide_slide import OpenSlideSlide

        return OpenSlideSlide(path)
    if suffix in SUFFIXES:
        return SingleSlide(path)
    known = ", ".join(sorted(one[1:] for one in SLIDE_SUFFIXES))
    raise BadInputError(f"{str(path)!r} has none of the endings of slides ({known}, tif) or images")
