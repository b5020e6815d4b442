"""The options of ``sample``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wsstool.options import Options, option, redeclared
from wsstool.stages.options.groups import INPUT, OUTPUT, RUNTIME, Completion


@dataclass(frozen=True, kw_only=True)
class SampleOptions(Options):
    """A small synthetic data set."""

    output: Path = option(..., "folder to create", panel=OUTPUT, spelling=("--output", "-o"))
    kind: Literal["objects", "tissue", "referring"] = option(
        "objects",
        "objects: five classes in clutter, with boxes; tissue: four textures, no background; referring: "
        "objects that sentences tell apart, with boxes",
        panel=INPUT,
    )
    count: int = option(400, "number of images", panel=INPUT, at_least=1, at_most=100_000)
    size: int = option(128, "rows and columns of an image in pixels", panel=INPUT, at_least=32, at_most=1024)
    seed: int = option(0, "seed of every random choice", panel=RUNTIME, at_least=0)
    force: bool = redeclared(Completion, "force", False, help="replace a folder that is not empty")
