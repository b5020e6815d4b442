"""``tiles``: cut slides into a data folder whose file names carry coordinates."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from wsstool.data.listing import has_no_other_use, without_suffix
from wsstool.data.pictures.opening import SLIDE_SUFFIXES, open_slide
from wsstool.data.pictures.resolution import View, at_level, at_mpp
from wsstool.data.pictures.slide import Slide
from wsstool.data.pictures.tile_grid import tile_grid
from wsstool.errors import BadInputError, CannotWriteError, UsageError, WsstoolError
from wsstool.masks.white import white
from wsstool.options import takes
from wsstool.stages.options.datasets.tiles import TilesOptions
from wsstool.stages.slides.tile_set import IMAGES, TiledSlide, fingerprint, read_tile_set, write_tile_set
from wsstool.stages.slides.unfinished import unfinished_folder
from wsstool.types import SILENT, Messages

_SPEED = 3  #: compression of PNG, 0 to 9: beyond, tiles take twice the time for a few percent


@takes(TilesOptions)
def tiles(options: TilesOptions, *, messages: Messages = SILENT) -> dict[str, Any]:
    """Cut slides into tiles, each a PNG ``images/SLIDE/xX_yY.png`` with its corner in full-resolution pixels.

    The folder appears when it is complete, with ``tiles.json``, by which label maps are put back onto the
    slides. After a kill the same command goes on where it was; a complete folder is up to date. Memory does
    not grow with the slide.

    Returns:
        ``output``, ``slides``, ``tiles`` (written), ``glass`` (left out) and ``up_to_date``.

    Raises:
        UsageError: an option out of range, two slides of one name, or without ``force`` a folder that is
            neither empty nor this tile set.
        MissingInputError: no such slide, or its format needs the extra ``wsi``.
        BadInputError: a damaged slide, a level that is not there, no microns where ``mpp`` asks for them, or
            no tile at all with enough tissue.
        BusyError: another process is writing the folder.
        CannotWriteError: no space, no permission, or a file in the way.
    """
    output = Path(options.output)
    if output.exists() and not output.is_dir():
        raise CannotWriteError(f"{str(output)!r} is a file; name a folder")
    names = _names(options.slides)
    with ExitStack() as stack:
        slides = [stack.enter_context(closing(open_slide(path))) for path in options.slides]
        views = [_view(slide, path, options) for slide, path in zip(slides, options.slides, strict=True)]
        planned = [
            TiledSlide(
                name,
                path.name,
                fingerprint(path),
                *slide.levels[0].size,
                slide.mpp,
                view.level,
                tile_grid(view.picture.size, options.size, options.overlap, view.downsample),
                0,
            )
            for name, path, slide, view in zip(names, options.slides, slides, views, strict=True)
        ]
        made_from = _made_from(planned, options)
        if output.is_dir() and any(output.iterdir()) and not options.force:
            done = _finished(output, made_from)
            messages.say(f"'{output}' is up to date")
            return _summary(output, done, True)
        with unfinished_folder(output, made_from) as folder:
            done = _cut_all(folder, planned, views, options, messages)
            write_tile_set(folder, made_from, done)
    return _summary(output, done, False)


def _names(paths: Sequence[Path]) -> list[str]:
    """Return the names of the slides' folders.

    Raises:
        UsageError: two slides of one name, or a name whose folder would not be taken for one of images.
    """
    found: dict[str, Path] = {}
    for path in paths:
        name = path.stem if path.suffix.lower() in SLIDE_SUFFIXES else without_suffix(path.name)
        if name in found:
            raise UsageError(
                f"'{found[name]}' and '{path}' have the same name, '{name}'; cut them into separate folders"
            )
        if not has_no_other_use(name) or not name.strip():
            raise UsageError(
                f"a folder of images cannot be called '{name}', since folders of that name hold masks or "
                "other files; rename the slide"
            )
        found[name] = path
    return list(found)


def _view(slide: Slide, path: Path, options: TilesOptions) -> View:
    if options.mpp is not None:
        return at_mpp(slide, options.mpp, str(path))
    return at_level(slide, options.level or 0, str(path))


def _made_from(planned: Sequence[TiledSlide], options: TilesOptions) -> dict[str, Any]:
    """What the tiles depend on, as JSON has it."""
    own = {
        "size": options.size,
        "overlap": options.overlap,
        "min_tissue": options.min_tissue if options.tissue else None,
    }
    slides = [[one.name, one.fingerprint, one.level, one.grid.downsample] for one in planned]
    return {**own, "slides": slides}


def _finished(output: Path, made_from: dict[str, Any]) -> list[TiledSlide]:
    """Return the slides of a complete folder.

    Raises:
        UsageError: it is another one.
    """
    try:
        found, slides = read_tile_set(output)
        if found == made_from and all(
            len(os.listdir(output / IMAGES / one.name)) == one.tiles for one in slides if one.tiles
        ):
            return slides
    except (OSError, WsstoolError):
        pass  # not a tile set
    raise UsageError(f"'{output}' is not empty, and not this tile set; --force replaces it")


def _summary(output: Path, slides: Sequence[TiledSlide], up_to_date: bool) -> dict[str, Any]:
    written = sum(one.tiles for one in slides)
    glass = sum(len(one.grid.tops) * len(one.grid.lefts) for one in slides) - written
    return {
        "output": str(output),
        "slides": len(slides),
        "tiles": written,
        "glass": glass,
        "up_to_date": up_to_date,
    }


def _cut_all(
    folder: Path,
    planned: Sequence[TiledSlide],
    views: Sequence[View],
    options: TilesOptions,
    messages: Messages,
) -> list[TiledSlide]:
    total = sum(len(one.grid.tops) * len(one.grid.lefts) for one in planned)
    done = []
    with messages.track(total, "tiles") as advance:
        for slide, view in zip(planned, views, strict=True):
            written = 0
            for is_written in _cut(folder, slide, view, options):
                written += is_written
                advance(1)
            if not written:
                messages.warn(f"slide '{slide.file}' has no tile with enough tissue")
            done.append(replace(slide, tiles=written))
    if not any(one.tiles for one in done):
        raise BadInputError(
            f"no tile has a share of {options.min_tissue:g} of tissue; lower --min-tissue, or keep "
            "--all-tiles"
        )
    return done


def _cut(folder: Path, slide: TiledSlide, view: View, options: TilesOptions) -> Iterator[bool]:
    """Write the tiles of a slide; yields for each whether it is kept. Those of an earlier run stay."""
    place, part = folder / IMAGES / slide.name, folder / ".part.png"
    shape = slide.grid.shape()
    for top, left in slide.grid.places():
        path = place / slide.grid.name(top, left)
        if path.exists():
            yield True
            continue
        pixels = view.picture.region(top, left, *shape)
        is_kept = not options.tissue or tissue_share(pixels) >= options.min_tissue
        if is_kept:
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(part, "PNG", compress_level=_SPEED)
            os.replace(part, path)
        yield is_kept
    part.unlink(missing_ok=True)


def tissue_share(pixels: np.ndarray) -> float:
    """Return the share of pixels that are neither white glass nor black, as what was not scanned is stored.

    Args:
        pixels: (H, W, 3) uint8 RGB.
    """
    return float((~white(pixels) & pixels.any(axis=2)).mean())
