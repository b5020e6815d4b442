"""Options that the trainers share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from wsstool.models.fan.sizes import SIZES
from wsstool.options import Options, Unused, option, redeclared
from wsstool.stages.options.choices import Optimizer, Schedule
from wsstool.stages.options.groups import (
    MODEL,
    OUTPUT,
    RUNTIME,
    TRAINING,
    DataFolder,
    Execution,
    ImageList,
    Inference,
    PublishedWeights,
    Settings,
    check_device,
)

WITH_PROBE = Unused(
    lambda o: getattr(o, "probe", False),  # train-contour has no probe
    "with --probe, which runs no gradient descent",
)
WITHOUT_PROBE = Unused(lambda o: not o.probe, "without --probe")
WITHOUT_INIT = Unused(lambda o: o.init is None, "without --init")
WITHOUT_FAN = Unused(lambda o: not any(map(is_fan, _archs(o))), "without a FAN network (--arch)")
WITHOUT_SGD = Unused(lambda o: o.optimizer != "sgd", "without --optimizer sgd")


def is_fan(arch: str) -> bool:
    """Return whether a network is a FAN or has one as its backbone.

    Example:
        >>> is_fan("segformer-fan-base"), is_fan("fantiny"), is_fan("linear-tiny")
        (True, True, False)
    """
    return arch.replace("-", "").endswith(tuple(name.replace("-", "") for name in SIZES))


def _archs(options: Any) -> list[str]:
    """Return the networks that a command trains."""
    return [text.partition("=")[0].strip() for text in getattr(options, "stage", None) or [options.arch]]


step_option = partial(option, panel=TRAINING, unused=WITH_PROBE)
"""Declare an option of gradient descent, which the convex fit of a probe does not use."""


@dataclass(frozen=True, kw_only=True)
class TrainingImages(ImageList):
    """The images of a data folder to train on."""

    split: str | None = redeclared(DataFolder, "split", None)
    class_list: Path | None = redeclared(DataFolder, "class_list", None)

    def check_paths(self) -> None:
        super().check_paths()
        self.check_split(getattr(self, "data", None) or getattr(self, "source", None))


@dataclass(frozen=True, kw_only=True)
class StartWeights(PublishedWeights):
    """Initial weights of the network."""

    init: Path | None = option(
        None,
        "initial weights: a state dict, a wsstool file or an MXNet .params file; imagenet, or a name of "
        "'wsstool weights list'; default: random",
        key=False,
        panel=MODEL,
        exists="named",
    )
    averaged: bool = redeclared(
        PublishedWeights,
        "averaged",
        True,
        help="--init with two sets of weights: the moving average, or the last",
        spelling=("--init-ema/--no-init-ema",),
        unused=(WITHOUT_INIT,),
    )


@dataclass(frozen=True, kw_only=True)
class StochasticDepth(Options):
    """Residual branches dropped in training."""

    drop_path: float | None = step_option(
        None,
        "FAN only: probability of dropping a residual branch, equal in all blocks; default: as published, in "
        "classifiers by size, in segmenters 0",
        at_least=0,
        below=1,
        key="changed",
        unused=(WITH_PROBE, WITHOUT_FAN),
    )


@dataclass(frozen=True, kw_only=True)
class Augmentation(Options):
    """Augmentation of the training crops."""

    flip: bool = step_option(True, "random horizontal flips", spelling="--flip/--no-flip")
    color_jitter: float = step_option(
        0.2, "strength of random brightness, contrast and saturation", at_least=0, below=1
    )


@dataclass(frozen=True, kw_only=True)
class StrongAugmentation(Options):
    """Augmentation that changes more than crop and colours; a teacher sees none of it but its geometry."""

    rand_augment: float = step_option(
        0.0,
        "magnitude of RandAugment, 0: none; crops are then resized by a random filter",
        at_least=0,
        at_most=10,
        key="changed",
    )
    erasing: float = step_option(0.0, "probability of random erasing", at_least=0, at_most=1, key="changed")
    mixup: float = step_option(
        0.0, "alpha of mixup, 0: none; needs batches of even size", at_least=0, key="changed"
    )
    cutmix: float = step_option(
        0.0, "alpha of CutMix, 0: none; with --mixup, each for half of the batches", at_least=0, key="changed"
    )


@dataclass(frozen=True, kw_only=True)
class Optimisation(Options):
    """Gradient descent; ``training.plan.Plan`` has the same names."""

    epochs: int = step_option(30, "passes over the training images", at_least=1)
    batch_size: int = step_option(8, "images per step", panel=RUNTIME, at_least=1)
    lr: float = step_option(0.02, "initial learning rate", at_least=0)
    backbone_rate: float | None = step_option(
        None,
        "backbone learning-rate multiplier, 0: frozen; default 0.1 with --init, else 1",
        at_least=0,
    )
    optimizer: Optimizer = option("sgd", "optimiser", panel=TRAINING, unused=WITH_PROBE)
    momentum: float = step_option(
        0.9, "SGD momentum", at_least=0, below=1, key="changed", unused=(WITH_PROBE, WITHOUT_SGD)
    )
    schedule: Schedule = option("poly", "learning-rate schedule", panel=TRAINING, unused=WITH_PROBE)
    warmup_epochs: float = step_option(0.0, "epochs of learning-rate warm-up", at_least=0)
    warmup_start: float | None = step_option(
        None,
        "fraction of the learning rate at which warm-up starts; default: the increase of one step",
        at_least=0,
        at_most=1,
        key="changed",
    )
    min_lr: float = step_option(
        0.0, "learning rate at which the schedule ends, at most --lr", at_least=0, key="changed"
    )
    cooldown_epochs: int = step_option(
        0, "further epochs at the last learning rate of the schedule", at_least=0, key="changed"
    )
    weight_decay: float = step_option(1e-4, "weight decay", at_least=0)
    clip: float = step_option(0.0, "maximum gradient norm, 0: no clipping", at_least=0)
    ema: float = step_option(
        0.0, "decay of the moving average of the weights, which is saved; 0: none", at_least=0, below=1
    )
    amp: bool = step_option(
        True, "bfloat16 on a GPU", panel=RUNTIME, spelling="--amp/--no-amp", key="changed"
    )
    seed: int = option(0, "seed of every random choice", panel=RUNTIME, at_least=0)


@dataclass(frozen=True, kw_only=True)
class Probe(Options):
    """A linear head fitted on frozen features, in place of gradient descent."""

    probe: bool = option(
        False,
        "fit only the head, in closed form on frozen initial weights: no epochs; uses --scale, --penalty",
        panel=TRAINING,
        spelling="--probe/--no-probe",
        key="changed",
    )
    scale: list[float] | None = option(
        None,
        "image scale for --probe; repeatable; default 1",
        panel=TRAINING,
        above=0,
        at_most=8,
        unused=WITHOUT_PROBE,
    )
    penalty: float = option(
        1.0, "L2 penalty of the --probe fit", panel=TRAINING, above=0, unused=WITHOUT_PROBE
    )


@dataclass(frozen=True, kw_only=True)
class TrainingExecution(Execution):
    """How a trainer runs, and its output file."""

    output: Path = option(
        Path("weights.pth"),
        "weights file, written atomically",
        panel=OUTPUT,
        spelling=("--output", "-o"),
        key=False,
    )
    device: str = redeclared(Inference, "device", "auto")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_device(self.device)


@dataclass(frozen=True, kw_only=True)
class TrainerOptions(TrainingExecution, Optimisation, Augmentation, Settings, StartWeights):
    """Options of every trainer."""
