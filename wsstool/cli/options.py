"""Every option that more than one command has, declared once: one spelling, one help text.

A command writes ``output: options.Output = None``; its own options stand in its own file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from wsstool.registry import (
    ATTENTIONS,
    COTRAINERS,
)

INPUT, METHOD, MODEL, TRAINING, RUNTIME, OUTPUT = "Input", "Method", "Model", "Training", "Runtime", "Output"

if TYPE_CHECKING:
    Attention = str
    Cotrainer = str
else:  # the names become choices, completion and error texts
    Attention = Literal[ATTENTIONS.names()]
    Cotrainer = Literal[COTRAINERS.names()]


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
Margins = Annotated[
    list[float] | None,
    _option(
        "--margin",
        help="around a box, share of its side; repeatable, the maps are averaged; default 0.25",
        panel=METHOD,
    ),
]
Flip = Annotated[bool, _option("--flip/--no-flip", help="average with the mirrored image", panel=METHOD)]

# Model
Weights = Annotated[Path, _option("--weights", help="trained weights (.pth)", panel=MODEL)]
StartWeights = Annotated[
    Path | None,
    _option(
        "--init",
        help="start weights: a state dict, a wsstool file or an MXNet .params file; default: random",
        panel=MODEL,
    ),
]

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

# Training
Epochs = Annotated[int, _option("--epochs", help="passes over the training images", panel=TRAINING)]
LearningRate = Annotated[float, _option("--lr", help="learning rate at the start", panel=TRAINING)]
BackboneRate = Annotated[
    float | None,
    _option(
        "--backbone-rate",
        help="learning rate of the backbone relative to the rest; default 0.1 with --init, else 1",
        panel=TRAINING,
    ),
]
Optimizer = Annotated[
    Literal["sgd", "adam", "adamw"], _option("--optimizer", help="optimiser", panel=TRAINING)
]
Momentum = Annotated[float, _option("--momentum", help="of sgd, [0, 1)", panel=TRAINING)]
Schedule = Annotated[
    Literal["poly", "cosine", "step", "constant"],
    _option("--schedule", help="course of the learning rate", panel=TRAINING),
]
WarmupEpochs = Annotated[
    float,
    _option("--warmup-epochs", help="epochs during which the learning rate rises, >= 0", panel=TRAINING),
]
WeightDecay = Annotated[
    float, _option("--weight-decay", help="pull of the weights towards 0, >= 0", panel=TRAINING)
]
Clip = Annotated[float, _option("--clip", help="longest gradient allowed; 0: any", panel=TRAINING)]
Ema = Annotated[
    float,
    _option(
        "--ema", help="decay of the running average of weights that is kept; 0: none, [0, 1)", panel=TRAINING
    ),
]
Amp = Annotated[bool, _option("--amp/--no-amp", help="bfloat16 on a GPU", panel=RUNTIME)]
MirroredViews = Annotated[bool, _option("--flip/--no-flip", help="mirror views", panel=TRAINING)]
ColorJitter = Annotated[
    float,
    _option("--color-jitter", help="spread of brightness, contrast and saturation, [0, 1)", panel=TRAINING),
]
TrainedWeights = Annotated[
    Path,
    _option("--output", "-o", help="weights file, written whole or not at all", panel=OUTPUT),
]
