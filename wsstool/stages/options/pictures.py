"""Options of commands that read images in parts: windows, and the level of slides."""

from __future__ import annotations

from dataclasses import dataclass

from wsstool.errors import UsageError
from wsstool.options import Options, option
from wsstool.stages.options.groups import INPUT, METHOD


@dataclass(frozen=True, kw_only=True)
class WindowSide(Options):
    """Windows over images that are too large to be computed at once."""

    window: int | None = option(
        None,
        "side of the overlapping windows over which an image with a longer side is computed, pixels; "
        "0: every image whole; default: 1024, for images of more than 16 megapixels",
        panel=METHOD,
        at_least=0,
        key="changed",
    )


@dataclass(frozen=True, kw_only=True)
class Windowing(WindowSide):
    """Windows and what they share."""

    overlap: int | None = option(
        None,
        "pixels that neighbouring windows share: a third is left out at each border, a third blended; "
        "default: a quarter of --window",
        panel=METHOD,
        at_least=0,
        key="changed",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window == 0 and self.overlap is not None:
            raise UsageError("--overlap does nothing with --window 0, which computes every image whole")


@dataclass(frozen=True, kw_only=True)
class SlideScale(Options):
    """At which scale slides and pyramids are read."""

    level: int | None = option(
        None,
        "level of slides and pyramid TIFFs to read; 0, the default: the full size",
        panel=INPUT,
        at_least=0,
        key="changed",
    )
    mpp: float | None = option(
        None,
        "microns per pixel at which slides are read, in place of --level: from the nearest finer level",
        panel=INPUT,
        above=0,
        key="changed",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.level is not None and self.mpp is not None:
            raise UsageError("--level and --mpp both choose the scale; give one of them")
