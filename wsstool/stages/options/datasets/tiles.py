"""The options of ``tiles``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wsstool.options import Options, Unused, option, redeclared
from wsstool.stages.options.groups import INPUT, METHOD, OUTPUT, Completion


@dataclass(frozen=True, kw_only=True)
class TilesOptions(Options):
    """Slides, and the tiles to cut them into."""

    slides: list[Path] = option(
        ..., "slides (SVS, pyramid TIFF; others with the extra wsi) or large images", positional=True
    )
    output: Path = option(..., "data folder to create", panel=OUTPUT, spelling=("--output", "-o"))
    level: int | None = option(
        None,
        "level of the pyramid, 0 is the full resolution; default: 0",
        panel=INPUT,
        at_least=0,
        unused=Unused(lambda o: o.mpp is not None, "with --mpp, which chooses the level"),
    )
    mpp: float | None = option(
        None,
        "microns per pixel; read from the level that has it, else reduced from the next finer one",
        panel=INPUT,
        above=0,
        at_most=10_000,
    )
    size: int = option(512, "rows and columns of a tile in pixels", at_least=16, at_most=8192)
    overlap: int = option(
        0, "pixels that neighbours share; the last tiles may share more, since all have full size", at_least=0
    )
    tissue: bool = option(
        True,
        "leave out tiles of bare glass, which is white or was not scanned",
        spelling="--tissue/--all-tiles",
    )
    min_tissue: float = option(
        0.05,
        "smallest share of tissue in a tile that is kept",
        panel=METHOD,
        above=0,
        at_most=1,
        unused=Unused(lambda o: not o.tissue, "with --all-tiles"),
    )
    force: bool = redeclared(Completion, "force", False, help="replace a folder that is not empty")
