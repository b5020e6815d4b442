"""``wsstool tiles``."""

from __future__ import annotations

from wsstool.cli.run import call, messages
from wsstool.stages.options.datasets.tiles import TilesOptions


def tiles(options: TilesOptions) -> None:
    """Cut slides into tiles named by their coordinates.

    The tiles are a data folder, images/SLIDE/xX_yY.png with the corner in pixels of the full resolution, to
    be labelled and used like any other. Bare glass is left out. Aperio SVS and pyramid TIFF are read without
    further packages; NDPI, MRXS, SCN and others with OpenSlide (extra wsi).

    Examples:
        wsstool tiles slide.svs -o tiles
        wsstool tiles *.svs --mpp 1 --size 256 --overlap 32 -o tiles
        wsstool tiles scan.tif --level 2 --all-tiles -o tiles
    """
    found = call("slides.tiles:tiles", options)
    if not found["up_to_date"]:
        written = "1 tile" if found["tiles"] == 1 else f"{found['tiles']} tiles"
        slides = "1 slide" if found["slides"] == 1 else f"{found['slides']} slides"
        glass = f", {found['glass']} of glass left out" if found["glass"] else ""
        messages().say(f"{written} of {slides} in '{found['output']}'{glass}")
