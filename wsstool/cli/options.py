"""Every option that more than one command has, declared once: one spelling, one help text.

A command writes ``output: options.Output = None``; its own options stand in its own file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from wsstool.registry import (
    BACKGROUNDS,
    DENSE,
    EXPORTS,
    FILLERS,
    NMS,
    PROPOSALS,
    REFINERS,
    RULES,
    SELECTORS,
)

INPUT, METHOD, MODEL, TRAINING, RUNTIME, OUTPUT = "Input", "Method", "Model", "Training", "Runtime", "Output"

if TYPE_CHECKING:
    NmsMethod = str
    Refiner = str
    Rule = str
    BackgroundKind = str
    Proposer = str
    DenseWay = str
    Selection = str
    ExportFormat = str
else:  # the names become choices, completion and error texts
    NmsMethod = Literal[NMS.names()]
    Refiner = Literal[REFINERS.names()]
    Rule = Literal[RULES.names()]
    BackgroundKind = Literal[("auto", "none", *BACKGROUNDS.names())]
    Proposer = Literal[PROPOSALS.names()]
    DenseWay = Literal[DENSE.names()]
    Selection = Literal[(*SELECTORS.names(), *FILLERS.names())]
    ExportFormat = Literal[("png", *EXPORTS.names())]


def _option(
    *names: str,
    help: str,
    panel: str,
    metavar: str | None = None,
    env: str | None = None,
    least: int | None = None,
):
    return typer.Option(
        *names, help=help, rich_help_panel=panel, metavar=metavar, envvar=env, show_default=True, min=least
    )


# Positional inputs. None means standard input where the command reads a stream.
Data = Annotated[Path, typer.Argument(help="data folder; its layout is recognised", show_default=False)]
Source = Annotated[
    str | None, typer.Argument(help="input file; '-' or nothing: standard input", show_default=False)
]
Sources = Annotated[list[str], typer.Argument(help="input files", show_default=False)]

# Input
Split = Annotated[
    str | None,
    _option(
        "--split",
        help="a part by name, or a file of names; default: all, for training 'train' if there is one",
        panel=INPUT,
    ),
]
Labels = Annotated[
    Path | None,
    _option("--labels", help="label file (CSV, TSV, JSONL, .npy); default: found in DATA", panel=INPUT),
]
ClassListFile = Annotated[
    Path | None,
    _option(
        "--class-list",
        help="class file ('index name' lines), or luad, bcss; default: found in DATA",
        panel=INPUT,
    ),
]
Images = Annotated[
    Path | None,
    _option(
        "--images",
        help="folder with the images of the input file; default: the one it was made from",
        panel=INPUT,
        env="WSSTOOL_IMAGES",
    ),
]
Like = Annotated[
    Path | None,
    _option("--like", help="COCO file whose image and category ids COCO results use", panel=INPUT),
]
Truth = Annotated[
    Path | None,
    _option(
        "--truth",
        help="folder of true masks, or a data folder; default: the masks beside the images",
        panel=INPUT,
    ),
]
BoxFile = Annotated[
    Path | None,
    _option(
        "--boxes",
        help="box file (COCO, CVAT, Label Studio) or folder (VOC, YOLO); default: found in DATA",
        panel=INPUT,
    ),
]
BoxFormat = Annotated[
    Literal["auto", "xywh", "xyxy", "cxcywh"],
    _option(
        "--box-format",
        help="what the four numbers of a box are; auto: as its format says, refused where that cannot be",
        panel=INPUT,
    ),
]
Shard = Annotated[
    str | None,
    _option(
        "--shard",
        help="i/n: only the i-th of n parts, i from 0; 'merge' joins them",
        panel=INPUT,
        metavar="I/N",
    ),
]

# Method
Settings = Annotated[
    list[str] | None,
    _option(
        "--set",
        help="an option of the chosen method, as 'wsstool methods' lists them; repeatable",
        panel=METHOD,
        metavar="NAME=VALUE",
    ),
]
Scales = Annotated[
    list[float] | None,
    _option("--scale", help="image scale to average over, (0, 8]; repeatable; default 1", panel=METHOD),
]
Margins = Annotated[
    list[float] | None,
    _option(
        "--margin",
        help="around a box, share of its side; repeatable, the maps are averaged; default 0.25",
        panel=METHOD,
    ),
]
Flip = Annotated[bool, _option("--flip/--no-flip", help="average with the mirrored image", panel=METHOD)]
Background = Annotated[
    str,
    _option(
        "--background",
        help="'auto': as the class list says; 'none': every pixel belongs to a class that is tagged",
        panel=METHOD,
    ),
]
Refine = Annotated[
    Refiner | None,
    _option("--refine", help="sharpen the score maps with the image; default: no refinement", panel=METHOD),
]

# Model
Weights = Annotated[Path, _option("--weights", help="trained weights (.pth)", panel=MODEL)]

# Runtime
Device = Annotated[
    str, _option("--device", help="auto, cpu, cuda, cuda:N or mps", panel=RUNTIME, env="WSSTOOL_DEVICE")
]
BatchSize = Annotated[int, _option("--batch-size", help="images a step, at least 1", panel=RUNTIME)]
Workers = Annotated[
    int,
    _option(
        "--workers",
        help="processes or threads that prepare images; 0: none; results never depend on it",
        panel=RUNTIME,
        least=0,
    ),
]
Seed = Annotated[
    int, _option("--seed", help="seed of every random choice, 0 or more", panel=RUNTIME, least=0)
]

# Output
Output = Annotated[
    Path | None,
    _option(
        "--output",
        "-o",
        help="output file, written whole or not at all; default: standard output",
        panel=OUTPUT,
    ),
]
Force = Annotated[
    bool, _option("--force", help="compute again although the output is up to date", panel=OUTPUT)
]
MaxFailed = Annotated[
    int,
    _option("--max-failed", help="images that may fail before the exit code is 3", panel=OUTPUT, least=0),
]
Json = Annotated[bool, _option("--json", help="print one JSON object", panel=OUTPUT)]
