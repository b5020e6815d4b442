"""The options of ``train-cls``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wsstool.errors import UsageError
from wsstool.options import Unused, option, redeclared
from wsstool.registries.backbones import check_backbone
from wsstool.registry import ATTENTIONS
from wsstool.stages.options.choices import Attention, ClassLoss, Optimizer, Schedule
from wsstool.stages.options.groups import (
    INPUT,
    METHOD,
    MODEL,
    TRAINING,
    Corruption,
    DataFolder,
    ImagesOfRecords,
)
from wsstool.stages.options.trainers.token_labels import TokenHead, TokenLabels
from wsstool.stages.options.trainers.training import (
    WITH_PROBE,
    WITHOUT_PROBE,
    Probe,
    StochasticDepth,
    StrongAugmentation,
    TrainerOptions,
    step_option,
)

WITHOUT_VAL = Unused(lambda o: o.val_split is None, "without --val-split")


@dataclass(frozen=True, kw_only=True)
class TrainClsOptions(
    TrainerOptions,
    Probe,
    StrongAugmentation,
    StochasticDepth,
    TokenLabels,
    TokenHead,
    Corruption,
    ImagesOfRecords,
    DataFolder,
):
    """A classifier from image-level labels."""

    data: Path = redeclared(
        DataFolder, "data", ..., help="data folder with tags, or a cam or mask file (its images and labels)"
    )
    val_split: str | None = option(
        None,
        "split that selects the best epoch; default: keep the last epoch",
        unused=WITH_PROBE,
        panel=INPUT,
    )
    negatives: bool = option(
        False,
        "images without a tag as images of no class; default: leave them out",
        panel=INPUT,
        spelling="--negatives/--no-negatives",
        key="changed",
    )
    corruption: str | None = redeclared(
        Corruption,
        "corruption",
        None,
        help="corruption of the validation images, such as fog; 'wsstool methods' lists them",
        unused=(WITH_PROBE, WITHOUT_VAL),
    )
    severity: int | None = redeclared(
        Corruption,
        "severity",
        None,
        unused=(WITH_PROBE, WITHOUT_VAL, Unused(lambda o: o.corruption is None, "without --corruption")),
    )
    output: Path = redeclared(TrainerOptions, "output", Path("cls.pth"))
    arch: str = option(
        "mobilenet-v2",
        "backbone, such as tiny, mobilenet-v2, efficientnet-lite0, resnet-18, fan-tiny or timm:NAME; "
        "'wsstool methods' lists them",
        panel=MODEL,
    )
    output_stride: int | None = option(
        None, "stride of the class maps in image pixels: 32, 16, 8 or 4; default 16, tiny 8", panel=MODEL
    )
    pool: Literal["average", "max", "lse", "topk"] = option(
        "average", "how class maps become class scores", panel=MODEL
    )
    dropout: float = option(
        0.0,
        "fraction of feature channels dropped in training",
        at_least=0,
        below=1,
        unused=WITH_PROBE,
        panel=MODEL,
    )
    head_bias: bool = option(True, "bias of the head", spelling="--head-bias/--no-head-bias", panel=MODEL)
    normalization: Literal["auto", "imagenet", "none"] = option(
        "auto",
        "scaling of the input channels; auto: that of the backbone, ImageNet's for most",
        panel=MODEL,
    )
    attention: Attention | None = step_option(
        None,
        "attention applied to the features in training; 'wsstool methods' lists its options for --set",
        panel=METHOD,
    )
    settings: list[str] | None = redeclared(TrainerOptions, "settings", None, unused=(WITH_PROBE,))
    image_size: int = step_option(224, "side of the training crops in pixels", at_least=1)
    area: float = step_option(
        0.3, "smallest fraction of the image area in a training crop", above=0, at_most=1
    )
    flip_vertical: bool = step_option(
        False,
        "also random vertical flips, for images without a fixed orientation",
        spelling="--flip-vertical/--no-flip-vertical",
    )
    epochs: int = redeclared(TrainerOptions, "epochs", 20)
    batch_size: int = redeclared(TrainerOptions, "batch_size", 16)
    drop_last: bool = step_option(
        False, "drop an incomplete last batch", spelling="--drop-last/--no-drop-last"
    )
    lr: float = redeclared(TrainerOptions, "lr", 1e-3)
    freeze: list[str] | None = step_option(
        None, "backbone layer to freeze; repeatable; 'none': no layer, overriding a recipe"
    )
    freeze_norm: bool = step_option(
        False,
        "batch norms that keep their statistics and weights",
        spelling="--freeze-norm/--no-freeze-norm",
    )
    optimizer: Optimizer = redeclared(TrainerOptions, "optimizer", "adamw")
    momentum: float = redeclared(
        TrainerOptions,
        "momentum",
        0.9,
        key=True,  # part of every existing key, whatever the optimiser
        unused=(WITH_PROBE,),
    )
    schedule: Schedule = redeclared(TrainerOptions, "schedule", "cosine")
    warmup_epochs: float = redeclared(TrainerOptions, "warmup_epochs", 0.5)
    weight_decay: float = redeclared(TrainerOptions, "weight_decay", 0.01)
    seed: int = redeclared(TrainerOptions, "seed", 0, unused=(WITH_PROBE,))
    loss: ClassLoss = option(
        "auto", "auto: cross-entropy if every image has one tag, else soft-margin", panel=TRAINING
    )
    label_smoothing: float = step_option(0.0, "label smoothing of the tags", at_least=0, below=1)
    positive_weight: float = step_option(1.0, "weight of positive relative to negative labels", above=0)
    penalty: float = redeclared(
        Probe,
        "penalty",
        0.03,
        help="L2 penalty of the --probe fit; 0.03 for photographs, 0.5 for tissue",
    )
    balanced: bool = option(
        False,
        "with --probe: equal total weight for the positives and negatives of a class",
        panel=TRAINING,
        spelling="--balanced/--no-balanced",
        unused=WITHOUT_PROBE,
    )
    intercept: bool = option(
        False,
        "with --probe: also fit a bias; class maps are better without one",
        panel=TRAINING,
        spelling="--intercept/--no-intercept",
        unused=WITHOUT_PROBE,
    )

    def check_paths(self) -> None:
        check_backbone(self.arch)
        if self.attention:
            ATTENTIONS.settings(self.attention, self.settings or ())
        elif self.settings and not self.unused("settings"):
            raise UsageError(
                f"--set {self.settings[0]}: --set sets options of --attention, which is not given"
            )
        super().check_paths()
