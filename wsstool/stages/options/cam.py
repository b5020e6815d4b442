"""The options of ``cam``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wsstool.errors import UsageError
from wsstool.options import Unused, option
from wsstool.registries.backbones import check_backbone
from wsstool.registry import CAMS
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
from wsstool.stages.options.pictures import SlideScale, Windowing

TEXT = "text"
"""The method that needs no trained classifier."""

_NO_TEXT = Unused(lambda o: not o.is_text, f"without --method {TEXT}")


@dataclass(frozen=True, kw_only=True)
class CamOptions(
    DataFolder, Shard, Settings, Corruption, SlideScale, Windowing, PublishedWeights, Inference, RecordOutput
):
    """Class activation maps of a data folder."""

    weights: Path | None = option(
        None,
        "trained weights (.pth)",
        panel=MODEL,
        key=False,
        unused=Unused(lambda o: o.is_text, f"with --method {TEXT}"),
    )
    class_vectors: Path | None = option(
        None,
        f"class names and their vectors (.npz) for --method {TEXT}",
        panel=MODEL,
        key=False,
        unused=_NO_TEXT,
    )
    init: Path | None = option(
        None,
        f"weights of the image tower of --method {TEXT}, in place of --weights; as in train-cls",
        panel=MODEL,
        key=False,
        exists="named",
        unused=_NO_TEXT,
    )
    arch: str | None = option(
        None,
        "image tower of --init, such as timm:vit_base_patch16_clip_224.openai",
        panel=MODEL,
        key="changed",
        unused=_NO_TEXT,
    )
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

    def check_paths(self) -> None:
        self.check_network()
        if self.is_text and self.arch is not None:
            check_backbone(self.arch)
        CAMS.settings(self.method, self.settings or ())
        super().check_paths()

    def check_network(self) -> None:
        """Raise UsageError unless the options name the network that the method needs."""
        if self.is_text and None in (self.class_vectors, self.init, self.arch):
            raise UsageError(
                f"--method {TEXT} needs --class-vectors FILE, and an image tower: --arch timm:NAME and "
                "--init FILE"
            )
        if not self.is_text and self.weights is None:
            raise UsageError(f"--method {self.method} needs a trained classifier: give --weights FILE")

    @property
    def is_text(self) -> bool:
        """Whether an image tower with class vectors takes the place of a trained classifier."""
        return self.method == TEXT
