"""The options of ``nms``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wsstool.options import option, redeclared
from wsstool.stages.options.choices import NmsMethod
from wsstool.stages.options.groups import INPUT, METHOD, Completion, RecordOutput, Settings


@dataclass(frozen=True, kw_only=True)
class NmsOptions(Settings, Completion, RecordOutput):
    """Suppression of duplicates among detections or proposals."""

    other_formats = (".json", ".csv")

    sources: list[str] | None = option(
        None,
        "box or proposal file, COCO results (.json), table (.csv), folder of YOLO predictions; "
        "several: one per model; '-' or omitted: standard input (all but folders)",
        positional=True,
        exists=True,
    )
    output: Path | None = redeclared(
        RecordOutput,
        "output",
        None,
        help="output: .json, .csv, a name without extension for a folder of YOLO text files, else a record "
        "file; default: standard output, as the input (with --instances a record file)",
    )
    force: bool = redeclared(
        Completion,
        "force",
        False,
        help="recompute a record file even if it is up to date; other formats are always written anew",
    )
    method: NmsMethod = option("greedy", "suppression method; 'wsstool methods' compares them", panel=METHOD)
    iou_threshold: float | None = option(
        None,
        "overlap threshold of the suppression, from 0 (giou and diou: -1) to 1; default: that of the method",
        panel=METHOD,
    )
    class_aware: bool = option(
        True,
        "suppress only within the same class",
        panel=METHOD,
        spelling="--class-aware/--class-agnostic",
    )
    measure: Literal["iou", "giou", "diou", "ios"] = option(
        "iou", "overlap measure; ios: intersection over the smaller area", panel=METHOD
    )
    plus_one: bool = option(
        False, "x1 and y1 are the last pixel inside a box", panel=METHOD, spelling="--plus-one"
    )
    inclusive: bool | None = option(
        None,
        "whether an overlap equal to the threshold suppresses; default: as published",
        panel=METHOD,
        spelling="--inclusive/--strict",
    )
    masks: bool = option(
        False, "compare the masks of COCO results instead of boxes", panel=METHOD, spelling="--masks"
    )
    score_threshold: float | None = option(
        None, "minimum score of the boxes before suppression; default: none", panel=METHOD
    )
    top_before: int | None = option(
        None,
        "number of top-scoring boxes considered per class, image and group; default: all",
        panel=METHOD,
        at_least=1,
    )
    top_after: int | None = option(
        None, "maximum number of boxes kept per image and group; default: all", panel=METHOD, at_least=1
    )
    instances: Path | None = option(
        None,
        "COCO file with the names, sizes and ids of images and categories, to read or write COCO results",
        panel=INPUT,
        key=False,
    )
    drop_invalid: bool = option(
        False,
        "leave out NaN, infinite and inverted boxes; default: an error",
        panel=INPUT,
        spelling="--drop-invalid",
    )
