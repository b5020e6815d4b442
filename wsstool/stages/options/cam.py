"""The options of ``cam``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wsstool.options import Unused, option
from wsstool.stages.options.choices import CamMethod
from wsstool.stages.options.groups import (
    METHOD,
    MODEL,
    OUTPUT,
    Corruption,
    DataFolder,
    Inference,
    PublishedWeights,
    RecordOutput,
    Settings,
    Shard,
)


@dataclass(frozen=True, kw_only=True)
class CamOptions(DataFolder, Shard, Settings, Corruption, PublishedWeights, Inference, RecordOutput):
    """Class activation maps of a data folder."""

    weights: Path = option(..., "trained weights (.pth)", panel=MODEL, key=False)
    method: CamMethod = option(
        "cam", "how class maps are computed; 'wsstool methods' compares them", panel=METHOD
    )
    targets: Literal["labels", "scores", "all"] = option(
        "labels", "classes to map: tagged classes, classes with a high score, or all", panel=METHOD
    )
    layer: list[str] | None = option(
        None, "layer to read maps from; repeatable; default: the last", panel=METHOD
    )
    scale: list[float] | None = option(
        None, "image scale; repeatable, the maps are summed; default 1", panel=METHOD, above=0, at_most=8
    )
    flip: bool = option(
        False, "sum with the horizontally flipped image", panel=METHOD, spelling="--flip/--no-flip"
    )
    rectify: bool | None = option(
        None,
        "keep only the positive part of each pass; default: only if several passes are summed",
        panel=METHOD,
        spelling="--rectify/--no-rectify",
    )
    map_stride: int | None = option(
        None,
        "stride of the stored map in image pixels; default: that of the layer, 4 for several scales",
        panel=METHOD,
        at_least=1,
    )
    score_threshold: float = option(
        0.5,
        "with --targets scores: minimum score of the classes to map",
        panel=METHOD,
        at_least=0,
        at_most=1,
        unused=Unused(lambda o: o.targets != "scores", "without --targets scores"),
    )
    dtype: Literal["float16", "float32"] = option("float16", "number type of the stored maps", panel=OUTPUT)
