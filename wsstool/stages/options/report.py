"""The options of ``report``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wsstool.options import option
from wsstool.stages.options.common import INPUT, OUTPUT
from wsstool.stages.options.eval import LabelMapScores


@dataclass(frozen=True, kw_only=True)
class ReportOptions(LabelMapScores):
    """A page with scores and images of a whole chain."""

    sources: list[str] = option(
        ...,
        "cam, mask, contour, selection or score files, as FILE or NAME=FILE, in the order shown",
        positional=True,
    )
    output: Path = option(..., "HTML file", panel=OUTPUT, spelling=("--output", "-o"))
    images: Path | None = option(
        None,
        "folder with the images of the input files; default: the one they were made from",
        panel=INPUT,
        env="WSSTOOL_IMAGES",
    )
    twin: str | None = option(
        None, "mask file of the fully supervised reference: FILE or NAME=FILE", panel=INPUT
    )
    log: list[Path] | None = option(None, "training log (JSON lines); repeatable", panel=INPUT)
    strips: Path | None = option(None, "folder for one PNG strip per image or object shown", panel=OUTPUT)
    samples: int = option(
        3,
        "images of each kind (worst, typical, best); for masks of boxes four objects for each of them",
        panel=OUTPUT,
        at_least=0,
    )
    title: str = option("Weakly supervised segmentation", "heading", panel=OUTPUT)
