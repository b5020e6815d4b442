"""Options of methods that read the features of a network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wsstool.options import Options, Unused, option
from wsstool.registries.backbones import check_backbone
from wsstool.stages.options.groups import MODEL, RUNTIME

WITHOUT_FEATURES = Unused(
    lambda o: not o.reads_features, "without a method that reads the features of a network"
)
_NO_INIT = Unused(lambda o: o.init is None, "without --init")


@dataclass(frozen=True, kw_only=True)
class FeatureNetwork(Options):
    """The frozen network whose features a method compares."""

    weights: Path | None = option(
        None,
        "trained weights (.pth) whose backbone gives the features",
        panel=MODEL,
        key=False,
        unused=WITHOUT_FEATURES,
    )
    init: Path | None = option(
        None,
        "start weights of a backbone that gives the features, in place of --weights; as in train-cls",
        panel=MODEL,
        key=False,
        exists="named",
        unused=WITHOUT_FEATURES,
    )
    arch: str | None = option(
        None, "backbone of --init", panel=MODEL, key="changed", unused=(WITHOUT_FEATURES, _NO_INIT)
    )
    output_stride: int | None = option(
        None,
        "stride of the features of --init in image pixels; default: 16, or that of the network",
        panel=MODEL,
        at_least=1,
        key="changed",
        unused=(WITHOUT_FEATURES, _NO_INIT),
    )
    feature_scale: float = option(
        2.0,
        "image scale at which the features are computed; larger gives finer features",
        panel=MODEL,
        above=0,
        at_most=8,
        key="changed",
        unused=WITHOUT_FEATURES,
    )
    device: str = option(
        "auto",
        "device of the network: auto, cpu, cuda, cuda:N or mps",
        panel=RUNTIME,
        env="WSSTOOL_DEVICE",
        key=False,
        unused=WITHOUT_FEATURES,
    )

    def check_paths(self) -> None:
        if self.arch is not None and not self.unused("arch"):
            check_backbone(self.arch)
        super().check_paths()

    @property
    def reads_features(self) -> bool:
        """Whether the chosen method reads features."""
        return False
