"""Options that the trainers share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from wsstool.options import Options, Unused, option, redeclared
from wsstool.stages.options.choices import Optimizer, Schedule
from wsstool.stages.options.common import (
    MODEL,
    OUTPUT,
    RUNTIME,
    TRAINING,
    DataFolder,
    Execution,
    Inference,
    Settings,
)

WITH_PROBE = Unused(
    lambda o: getattr(o, "probe", False),  # train-contour has no probe
    "with --probe, which takes no steps",
)
WITHOUT_PROBE = Unused(lambda o: not o.probe, "without --probe")
WITHOUT_SGD = Unused(lambda o: o.optimizer != "sgd", "without --optimizer sgd")

step_option = partial(option, panel=TRAINING, unused=WITH_PROBE)
"""Declare an option of gradient descent, which the convex fit of a probe does without."""


@dataclass(frozen=True, kw_only=True)
class TrainingImages(Options):
    """Which images of a data folder are trained on."""

    split: str | None = redeclared(DataFolder, "split", None)
    class_list: Path | None = redeclared(DataFolder, "class_list", None)


@dataclass(frozen=True, kw_only=True)
class StartWeights(Options):
    """What the network starts from."""

    init: Path | None = option(
        None,
        "start weights: a state dict, a wsstool file or an MXNet .params file; default: random",
        key=False,
        panel=MODEL,
    )


@dataclass(frozen=True, kw_only=True)
class Augmentation(Options):
    """How the training views vary."""

    flip: bool = step_option(True, "horizontally flipped views", spelling="--flip/--no-flip")
    color_jitter: float = step_option(
        0.2, "spread of brightness, contrast and saturation", at_least=0, below=1
    )


@dataclass(frozen=True, kw_only=True)
class Optimisation(Options):
    """Gradient descent; ``training.plan.Plan`` has the same names."""

    epochs: int = step_option(30, "passes over the training images", at_least=1)
    batch_size: int = step_option(8, "images per step", panel=RUNTIME, at_least=1)
    lr: float = step_option(0.02, "initial learning rate", at_least=0)
    backbone_rate: float | None = step_option(
        None,
        "learning rate of the backbone relative to the rest, 0: frozen; default 0.1 with --init, else 1",
        at_least=0,
    )
    optimizer: Optimizer = option("sgd", "optimiser", panel=TRAINING, unused=WITH_PROBE)
    momentum: float = step_option(
        0.9, "SGD momentum", at_least=0, below=1, key="changed", unused=(WITH_PROBE, WITHOUT_SGD)
    )
    schedule: Schedule = option("poly", "learning rate schedule", panel=TRAINING, unused=WITH_PROBE)
    warmup_epochs: float = step_option(0.0, "epochs during which the learning rate rises", at_least=0)
    weight_decay: float = step_option(1e-4, "weight decay", at_least=0)
    clip: float = step_option(0.0, "largest gradient norm, 0: no limit", at_least=0)
    ema: float = step_option(
        0.0, "decay of the moving average of the weights that is kept, 0: none", at_least=0, below=1
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
        "only the head, fitted exactly on the frozen start weights: no epochs; uses --scale, --penalty",
        panel=TRAINING,
        spelling="--probe/--no-probe",
        key="changed",
    )
    scale: list[float] | None = option(
        None,
        "image scale that --probe sees; repeatable; default 1",
        panel=TRAINING,
        above=0,
        at_most=8,
        unused=WITHOUT_PROBE,
    )
    penalty: float = option(
        1.0, "penalty of --probe on large weights", panel=TRAINING, above=0, unused=WITHOUT_PROBE
    )


@dataclass(frozen=True, kw_only=True)
class TrainingExecution(Execution):
    """How a trainer runs, and the weights file that it writes."""

    output: Path = option(
        Path("weights.pth"),
        "weights file, written whole or not at all",
        panel=OUTPUT,
        spelling=("--output", "-o"),
        key=False,
    )
    device: str = redeclared(Inference, "device", "auto")


@dataclass(frozen=True, kw_only=True)
class TrainerOptions(TrainingExecution, Optimisation, Augmentation, Settings, StartWeights):
    """What every trainer has."""
