"""What a slide is: for ``info``."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from wsstool.data.pictures.opening import SLIDE_SUFFIXES, open_slide
from wsstool.data.pictures.picture import TIFF_SUFFIXES
from wsstool.errors import WsstoolError


def describe_slide(path: Path) -> dict[str, Any] | None:
    """Return format, size, microns per pixel and levels of a slide; None for any other file.

    A TIFF is a slide if it has several levels, or states its microns per pixel.

    Raises:
        MissingInputError: a slide whose format needs the extra ``wsi``.
        BadInputError: damaged or truncated.
    """
    suffix = path.suffix.lower()
    if not path.is_file() or suffix not in (*SLIDE_SUFFIXES, *TIFF_SUFFIXES):
        return None
    try:
        slide = open_slide(path)
    except WsstoolError:
        if suffix in SLIDE_SUFFIXES:
            raise
        return None  # an image, or broken: whoever reads it as an image says so
    with closing(slide):
        if suffix in TIFF_SUFFIXES and len(slide.levels) == 1 and slide.mpp is None:
            return None
        rows, columns = slide.levels[0].size
        levels = [
            {
                "level": number,
                "columns": level.size[1],
                "rows": level.size[0],
                "downsample": round(level.downsample, 4),
                "mpp": None if slide.mpp is None else round(slide.mpp * level.downsample, 6),
            }
            for number, level in enumerate(slide.levels)
        ]
        mpp = None if slide.mpp is None else round(slide.mpp, 6)
        return {
            "slide": str(path),
            "format": slide.format,
            "columns": columns,
            "rows": rows,
            "mpp": mpp,
            "levels": levels,
        }
