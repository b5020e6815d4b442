"""The label maps of tiles as one file per slide: a pyramid TIFF, or outlines in slide coordinates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from wsstool import store
from wsstool.atomic import scratch_folder
from wsstool.data.classlist import write_class_list
from wsstool.data.geometry.components import components
from wsstool.data.geometry.instances import AnnotatedImage, Instance
from wsstool.data.palettes import class_palette
from wsstool.data.pictures.label_pyramid import write_label_pyramid
from wsstool.errors import UsageError
from wsstool.registry import EXPORTS
from wsstool.stages.exchange.label_maps import CLASS_FILE
from wsstool.stages.exchange.regions import one_layer
from wsstool.stages.slides.assembly import SlideMap, assembled
from wsstool.stages.slides.tile_set import read_tile_set
from wsstool.types import IGNORE, Messages

SLIDE_MAPS = "tiff"
"""Format of label maps of slides."""

BLOCK = 8192
"""Rows and columns in which regions are sought at once; at the borders of such blocks they are cut."""


def write_slides(
    reader: store.Reader,
    target: Path,
    *,
    tile_set: Path,
    format: str,
    settings: Sequence[str],
    layer: str | None,
    min_area: int,
    messages: Messages,
) -> int:
    """Write ``SLIDE.tif`` or ``SLIDE.geojson`` for every slide; returns how many.

    Overlaps of tiles are cut in the middle; what no tile covers has no label. Regions that cross tiles are
    whole. Arguments and errors: see ``export`` and ``assembled``.
    """
    slides = read_tile_set(tile_set)[1]
    classes = reader.header.classes
    chosen = one_layer(reader.header.layers, layer)
    if format == SLIDE_MAPS and (settings or min_area):
        raise UsageError("--set and --min-area are for --format geojson, not for tiff")
    own = EXPORTS.settings("geojson", settings)
    scale = float(own.pop("scale", 1.0))
    with scratch_folder(target) as folder:
        maps = assembled(reader, slides, chosen, folder, messages)
        target.mkdir()
        if format == SLIDE_MAPS:
            write_class_list(target / CLASS_FILE, classes)
        first = 1
        for k, one in enumerate(maps):
            name = one.slide.name
            if format == SLIDE_MAPS:
                palette = class_palette(classes)
                write_label_pyramid(target / f"{name}.tif", one, palette, one.slide.tile_mpp)
                continue
            background = classes.background
            regions = tuple(_regions(one, classes.names, background, min_area, first))
            first += len(regions)
            made = folder / f"{k}"
            image = AnnotatedImage(name, one.shape, regions)
            full = {"scale": scale * one.slide.grid.downsample}
            EXPORTS.load("geojson")([image], made, classes, **own, **full)
            next(made.iterdir()).rename(target / f"{name}.geojson")
    return len(maps)


def _regions(
    labels: SlideMap, names: Sequence[str], background: int, min_area: int, first: int
) -> Iterator[Instance]:
    """Yield the regions of a slide, numbered from ``first``."""
    rows, columns = labels.shape
    number = first
    for top in range(0, rows, BLOCK):
        for left in range(0, columns, BLOCK):
            block = labels[top : top + BLOCK, left : left + BLOCK]
            for class_id, window, mask in components(block, (IGNORE, background)):
                if mask.sum() >= min_area:
                    x, y, end, bottom = window
                    moved = x + left, y + top, end + left, bottom + top
                    yield Instance.of(names[class_id], mask, moved, number, moved)
                    number += 1
