"""The options of ``cotrain``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wsstool.options import Unused, option, redeclared
from wsstool.registries.segmenters import reads_sentences, split_arch, split_referring
from wsstool.registry import COTRAINERS
from wsstool.stages.options.choices import Cotrainer
from wsstool.stages.options.groups import INPUT, METHOD, MODEL, ImagesOfRecords
from wsstool.stages.options.several import SeveralFiles
from wsstool.stages.options.trainers.sentences import WITH_SENTENCES, SentenceTraining
from wsstool.stages.options.trainers.training import (
    WITH_PROBE,
    WITHOUT_FAN,
    Probe,
    StochasticDepth,
    TrainerOptions,
    TrainingImages,
    step_option,
)

SELECTING = ("coteaching", "self-training")
"""Methods that select pixels and therefore use a noise rate."""


@dataclass(frozen=True, kw_only=True)
class CotrainOptions(
    SeveralFiles, TrainerOptions, Probe, StochasticDepth, ImagesOfRecords, TrainingImages, SentenceTraining
):
    """A segmenter from label maps, or a network that reads sentences from the mask of each."""

    source: str | None = option(
        None,
        "mask file, with sentences selection file; several, or @LIST: the shards of one run; '-' or omitted: "
        "standard input; or a data folder (ground truth, fully supervised)",
        positional=True,
        exists=True,
        metavar="[FILE|@LIST|FOLDER]...",
    )
    masks: Path | None = option(
        None,
        "folder with the ground-truth masks of a data folder; default: found in it",
        unused=WITH_SENTENCES,
        panel=INPUT,
    )
    class_list: Path | None = redeclared(TrainingImages, "class_list", None, unused=(WITH_SENTENCES,))
    val: Path | None = option(
        None,
        "data folder whose ground truth selects the best epoch; default: keep the last epoch",
        key=False,
        panel=INPUT,
    )
    val_split: str | None = option(None, "part of the --val folder", panel=INPUT)
    output: Path = redeclared(TrainerOptions, "output", Path("seg.pth"))
    method: Cotrainer = option(
        "plain",
        "handling of label noise; 'wsstool methods' compares the methods",
        unused=WITH_PROBE,
        panel=METHOD,
    )
    settings: list[str] | None = redeclared(TrainerOptions, "settings", None, unused=(WITH_PROBE,))
    noise_rate: str = option(
        "auto",
        "fraction of wrong labels, [0, 1), or auto: estimated; for methods that select pixels",
        metavar="auto|SHARE",
        unused=(
            WITH_PROBE,
            Unused(lambda o: o.method not in SELECTING, f"without --method {' or '.join(SELECTING)}"),
        ),
        panel=METHOD,
    )
    layer_weight: list[str] | None = option(
        None,
        "weight of each label map of an image, in order or by name; repeatable; default: equal",
        metavar="[LAYER=]WEIGHT",
        unused=WITH_SENTENCES,
        panel=METHOD,
    )
    ignore_class: str | None = option(
        None,
        "class to exclude from training, by name or id (white background): it gets no output",
        unused=WITH_SENTENCES,
        panel=METHOD,
    )
    arch: str = option(
        "deeplabv3-mobilenet-v2",
        "HEAD-BACKBONE with a head of deeplabv3plus, deeplabv3, segformer, lraspp, pyramid, fcn, linear; "
        "or fcn32s, fcn16s, fcn8s, fcn8s-at-once, on vgg-16 as published, and fcn4s, fcn2s on backbones "
        "with finer maps; fcn-tiny is the smallest; or bcam-BACKBONE, brinet-BACKBONE for sentences; a "
        "backbone may be timm:NAME",
        unused=Unused(lambda o: bool(o.stage), "with --stage, which names the networks"),
        panel=MODEL,
    )
    stage: list[str] | None = option(
        None,
        "one of several networks trained in place of --arch, each initialised from the previous one; "
        "repeatable; the last is OUTPUT, the others are written beside it",
        metavar="ARCH[=LR]",
        key=False,
        panel=MODEL,
    )
    output_stride: int | None = option(
        None,
        "stride of the features in image pixels: 32, 16, 8 or 4; default 16, segformer 32, tiny 8, FAN 16",
        panel=MODEL,
    )
    width: int | None = option(
        None,
        "channels inside the head; default 256 (deeplabs, segformer), 768 (segformer on fan-tiny to large), "
        "192 (pyramid), 128 (lraspp), a quarter (fcn), 4096 (fcn8s-vgg-16 and the like)",
        at_least=1,
        unused=(WITH_PROBE, WITH_SENTENCES),
        panel=MODEL,
    )
    normalization: Literal["auto", "imagenet", "none", "caffe"] = option(
        "auto",
        "scaling of the input; none: colours in [0, 1]; caffe: blue first, 0 to 255, minus a mean, for "
        "weights from Caffe; auto: that of --init, else imagenet",
        panel=MODEL,
    )
    upsampling: Literal["fixed", "learned"] = option(
        "fixed",
        "upsampling of fcn8s and the like: bilinear, or learned except for the last step",
        key="changed",
        unused=(WITH_PROBE, WITH_SENTENCES),
        panel=MODEL,
    )
    floored_positions: bool | None = option(
        None,
        "FAN only: positional encoding with sine and cosine of equal frequency, as in the published "
        "classifiers, or of different ones, as in the published segmenters; default: that of --init, else "
        "equal",
        spelling="--floored-positions/--no-floored-positions",
        key="changed",
        unused=WITHOUT_FAN,
        panel=MODEL,
    )
    crop_size: int | None = step_option(
        None,
        "side of the training crops in pixels, 0: whole images; default: fits half of them, at most 320",
        at_least=0,
    )
    scale_min: float = step_option(
        0.5, "smallest random scale factor of an image", above=0, unused=(WITH_PROBE, WITH_SENTENCES)
    )
    scale_max: float = step_option(
        2.0, "largest random scale factor of an image", above=0, unused=(WITH_PROBE, WITH_SENTENCES)
    )
    flip: bool = redeclared(TrainerOptions, "flip", True, unused=(WITH_PROBE, WITH_SENTENCES))
    color_jitter: float = redeclared(TrainerOptions, "color_jitter", 0.3)
    blur: float = step_option(
        0.0,
        "largest radius in pixels of the blur applied to half of the crops, 0: none",
        at_least=0,
        unused=(WITH_PROBE, WITH_SENTENCES),
    )
    bias_rate: float | None = step_option(
        None,
        "bias learning-rate multiplier, without weight decay; default: as weights",
        at_least=0,
    )
    fall_epochs: int = step_option(
        0,
        "with --schedule step: epochs between decays to a tenth; 0: decay after 60 and 85 %",
        at_least=0,
    )
    warmup_start: float | None = redeclared(
        TrainerOptions,
        "warmup_start",
        None,
        key=True,  # part of every existing key
    )

    def check_paths(self) -> None:
        for arch in [text.partition("=")[0].strip() for text in self.stage or ()] or [self.arch]:
            (split_referring if reads_sentences(arch) else split_arch)(arch)
        if not self.unused("settings"):
            COTRAINERS.settings(self.method, self.settings or ())
        super().check_paths()
