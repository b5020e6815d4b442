"""Options that several commands share, grouped by topic."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from wsstool.errors import UsageError
from wsstool.options import Options, Unused, option, redeclared
from wsstool.registries.segmenters import check_network
from wsstool.stages.options.choices import Refiner
from wsstool.stages.options.parts import SHARD_IN_NAME
from wsstool.stages.options.parts import ImageList as ImageList
from wsstool.stages.options.parts import Shard as Shard
from wsstool.stages.options.several import SEVERAL as SEVERAL
from wsstool.stages.options.several import RecordInput as RecordInput
from wsstool.stages.options.several import SeveralFiles as SeveralFiles

INPUT, METHOD, MODEL, TRAINING, RUNTIME, OUTPUT = "Input", "Method", "Model", "Training", "Runtime", "Output"


@dataclass(frozen=True, kw_only=True)
class ImageFolder(ImageList):
    """A data folder, and which of its images are used."""

    data: Path = option(..., "data folder; its layout is recognised", positional=True)
    split: str | None = option(
        None,
        "part of the data, by name or as a file of image names; default: all, for training 'train' if "
        "present",
        panel=INPUT,
        exists=False,
    )

    def check_paths(self) -> None:
        super().check_paths()
        self.check_split(self.data)


@dataclass(frozen=True, kw_only=True)
class DataFolder(ImageFolder):
    """A data folder, and which of its images and labels are used."""

    labels: Path | None = option(
        None,
        "label file (CSV, TSV, JSONL, .npy; COCO, CVAT, Label Studio); default: found in DATA",
        panel=INPUT,
    )
    class_list: Path | None = option(
        None,
        "class list: a file (a name or 'index name' per line, or JSON), names joined by commas, luad or "
        "bcss; default: found in DATA",
        panel=INPUT,
        key="changed",
        exists=False,
    )


@dataclass(frozen=True, kw_only=True)
class BoxSource(Options):
    """The source of the boxes, and their coordinate format."""

    boxes: Path | None = option(
        None,
        "box file (COCO, CVAT, Label Studio) or folder (VOC, YOLO, LabelMe); default: found in DATA",
        panel=INPUT,
        key=False,
    )
    box_format: Literal["auto", "xywh", "xyxy", "cxcywh"] = option(
        "auto", "box coordinates; auto: as the file format defines; an error if they do not fit", panel=INPUT
    )


@dataclass(frozen=True, kw_only=True)
class SentenceSource(Options):
    """The source of the sentences that name objects."""

    expressions: Path | None = option(
        None,
        "file with sentences (JSON lines, REFER, COCO) or its folder; default: found in DATA",
        panel=INPUT,
        key=False,
    )


@dataclass(frozen=True, kw_only=True)
class WordEmbedding(Options):
    """The start of the word embedding of a network that reads sentences."""

    word_vectors: Path | None = option(
        None,
        "word vectors in GloVe's text format to start the word embedding from; default: random",
        panel=MODEL,
        key=False,
    )


@dataclass(frozen=True, kw_only=True)
class BoxWindows(Options):
    """The windows around boxes that a network maps."""

    margin: list[float] | None = option(
        None,
        "margin around a box as a fraction of its sides; repeatable, the maps are averaged; default 0.25",
        panel=METHOD,
        at_least=0,
        at_most=4,
    )


@dataclass(frozen=True, kw_only=True)
class ImagesOfRecords(Options):
    """Where the images of a record file are."""

    images: Path | None = option(
        None,
        "folder with the images of the input file; default: the folder it was made from",
        panel=INPUT,
        env="WSSTOOL_IMAGES",
        key=False,
        exists=False,
    )


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    """Options of the chosen method."""

    settings: list[str] | None = option(
        None,
        "option of the chosen method, as listed by 'wsstool methods'; repeatable",
        panel=METHOD,
        spelling="--set",
        metavar="NAME=VALUE",
    )


@dataclass(frozen=True, kw_only=True)
class Refinement(Settings):
    """A method that refines score maps with the image."""

    refine: Refiner | None = option(
        None, "refine the score maps with the image; default: no refinement", panel=METHOD
    )


@dataclass(frozen=True, kw_only=True)
class Frost(Options):
    """The photographs of the corruption ``frost``, which wsstool does not contain."""

    frost: Path | None = option(
        None,
        "folder with photographs of frost for that corruption; default: those of wsstool[corruptions]",
        panel=INPUT,
        key=False,
    )


@dataclass(frozen=True, kw_only=True)
class Corruption(Frost):
    """A corruption of the images that a network sees."""

    corruption: str | None = option(
        None,
        "corruption of the decoded images, such as fog or gaussian-noise; 'wsstool methods' lists them",
        panel=METHOD,
        key="changed",
    )
    severity: int | None = option(
        None,
        "severity of --corruption",
        panel=METHOD,
        at_least=1,
        at_most=5,
        key="changed",
        unused=Unused(lambda o: o.corruption is None, "without --corruption"),
    )
    frost: Path | None = redeclared(
        Frost,
        "frost",
        None,
        unused=(Unused(lambda o: o.corruption != "frost", "without --corruption frost"),),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.corruption is not None:
            from wsstool.corruptions import one_of  # imports scipy

            one_of(self.corruption)


@dataclass(frozen=True, kw_only=True)
class Completion(Options):
    """When a command counts as successful, and whether it recomputes an up-to-date result."""

    max_failed: int = option(
        0, "images that may fail before the exit code is 3", panel=OUTPUT, at_least=0, key=False
    )
    force: bool = option(
        False, "recompute even if the output is up to date", panel=OUTPUT, spelling="--force", key=False
    )


@dataclass(frozen=True, kw_only=True)
class Execution(Completion):
    """How a command runs; never what it computes."""

    workers: int = option(
        2,
        "processes or threads that prepare images, 0: none; results never depend on it",
        panel=RUNTIME,
        at_least=0,
        key=False,
    )


@dataclass(frozen=True, kw_only=True)
class Inference(Execution):
    """How a network is run over images."""

    batch_size: int = option(8, "images per batch", panel=RUNTIME, at_least=1, key=False)
    device: str = option(
        "auto", "auto, cpu, cuda, cuda:N or mps", panel=RUNTIME, env="WSSTOOL_DEVICE", key=False
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_device(self.device)


def check_device(name: str) -> None:
    """Raise UsageError unless a text is the name of a device, whether it is here or not."""
    if not re.fullmatch(r"auto|(cpu|cuda|mps)(:\d+)?", name):
        raise UsageError(f"--device {name}: use auto, cpu, cuda, cuda:N or mps")


@dataclass(frozen=True, kw_only=True)
class PublishedWeights(Options):
    """Which weights of a published file are used."""

    averaged: bool = option(
        True,
        "published file with two sets of weights: the moving average, or the last",
        panel=MODEL,
        spelling="--ema/--no-ema",
        key="changed",
    )


@dataclass(frozen=True, kw_only=True)
class PublishedNetwork(PublishedWeights):
    """Which network a published file is, and which of its weights are used."""

    arch: str | None = option(
        None,
        "architecture of a published file, which must be that network; needed only for a file that fits two: "
        "fcn8s-at-once-vgg-16 for FCN-8s weights trained at once",
        panel=METHOD,
        key="changed",
    )

    def check_paths(self) -> None:
        if self.arch is not None and not self.unused("arch"):
            check_network(self.arch)
        super().check_paths()


OTHER_FORMATS: dict[str, str] = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp"), "'wsstool export'"),
    **dict.fromkeys((".json", ".jsonl", ".xml", ".csv", ".tsv", ".txt", ".zip"), "'wsstool export'"),
    **dict.fromkeys((".html", ".htm", ".pdf", ".svg"), "'wsstool report'"),
    **dict.fromkeys((".pth", ".pt", ".ckpt"), "a training command"),
}
"""Endings of files that are no record files -> what writes such files."""


def check_record_name(output: Path | None, but: tuple[str, ...] = ()) -> None:
    """Raise UsageError if the ending of ``output`` promises another format, unless it is one of ``but``."""
    ending = "" if output is None else Path(output).suffix.lower()
    if ending in OTHER_FORMATS and ending not in but:
        raise UsageError(
            f"-o {output}: the output is an HDF5 file; name it {Path(output or '').stem}.h5 "
            f"({OTHER_FORMATS[ending]} writes {ending} files)"
        )


@dataclass(frozen=True, kw_only=True)
class RecordOutput(Options):
    """A record file, or a stream of records on standard output."""

    output: Path | None = option(
        None,
        "output file, written atomically; default: standard output",
        panel=OUTPUT,
        spelling=("--output", "-o"),
        key=False,
    )

    other_formats: ClassVar[tuple[str, ...]] = ()
    """Endings of other formats that the command writes."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_record_name(self.output, self.other_formats)
        if self.output is not None and SHARD_IN_NAME in str(self.output) and not getattr(self, "shard", None):
            raise UsageError(
                f"-o {self.output}: {SHARD_IN_NAME} stands for the number of a shard; add --shard"
            )
