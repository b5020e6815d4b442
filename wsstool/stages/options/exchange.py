"""The options of ``export`` and ``import``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wsstool.options import Options, Unused, option, redeclared
from wsstool.stages.options.choices import NETWORK_FORMATS, ExportFormat
from wsstool.stages.options.groups import (
    INPUT,
    METHOD,
    OUTPUT,
    Completion,
    DataFolder,
    ImagesOfRecords,
    PublishedNetwork,
    PublishedWeights,
    RecordOutput,
    SentenceSource,
    Settings,
)
from wsstool.stages.options.several import SEVERAL, SeveralFiles

WEIGHTS_FILES = (".pth", ".pt", ".tar", ".ckpt", ".params", ".safetensors")
"""Endings of weights files."""

_SENTENCES = "file with sentences to convert (JSON lines, REFER, COCO), or its folder"


@dataclass(frozen=True, kw_only=True)
class Like(Options):
    """The COCO file that defines image and category ids."""

    like: Path | None = option(
        None, "COCO file whose image and category ids COCO results use", panel=INPUT, key=False
    )


_NO_WEIGHTS = (Unused(lambda o: not o.is_network, "for files other than weights"),)


@dataclass(frozen=True, kw_only=True)
class ExportOptions(
    PublishedNetwork, SeveralFiles, Settings, Like, SentenceSource, ImagesOfRecords, Completion
):
    """Masks, sentences or networks in the formats of other programs; the output has no key."""

    source: str | None = option(
        None,
        "input file, several or @LIST: the shards of one run, or weights (.pth); '-' or omitted: standard "
        "input",
        positional=True,
        exists=True,
        metavar=SEVERAL,
    )
    output: Path = option(
        ...,
        "folder (png, overlay, yolo, voc, refer) or file to write",
        panel=OUTPUT,
        spelling=("--output", "-o"),
    )
    format: ExportFormat | None = option(
        None,
        "mask files: png, overlay, or their regions as objects; with --tiles tiff or geojson; selection "
        "files: objects or overlay; cam "
        "files: overlay; sentences: jsonl, refer or coco; masks of sentences: these, png, overlay, "
        "coco-results or csv; weights: onnx or pt2; default: png, coco, overlay, jsonl or onnx",
        panel=METHOD,
    )
    images: Path | None = redeclared(
        ImagesOfRecords,
        "images",
        None,
        help="for overlays: folder with the images of the input file; default: the folder it was made from",
        unused=Unused(lambda o: o.format not in (None, "overlay"), "without --format overlay"),
    )
    expressions: Path | None = redeclared(SentenceSource, "expressions", None, help=_SENTENCES)
    arch: str | None = redeclared(PublishedNetwork, "arch", None, unused=_NO_WEIGHTS)
    averaged: bool = redeclared(PublishedWeights, "averaged", True, unused=_NO_WEIGHTS)
    class_list: Path | None = redeclared(
        DataFolder,
        "class_list",
        None,
        help="classes of a published network, in the order of its outputs: a file (a name or 'index name' "
        "per line, or JSON), names joined by commas, luad or bcss",
        unused=_NO_WEIGHTS,
    )
    score_threshold: float = option(
        0.0, "minimum score of the instances to export", panel=METHOD, at_least=0, at_most=1
    )
    score_below: float | None = option(
        None,
        "export only instances with a lower score, and only images that have one",
        panel=METHOD,
        above=0,
        at_most=1,
        key="changed",
    )
    min_area: int = option(
        0,
        "for regions of mask files (connected pixels of one class): minimum area, in pixels",
        panel=METHOD,
        at_least=0,
        key="changed",
        unused=Unused(lambda o: o.format in (None, "png", "overlay"), "without --format for objects"),
    )
    tiles: Path | None = option(
        None,
        "tile set of 'wsstool tiles': its masks are put together, one geojson or pyramid tiff per slide",
        panel=INPUT,
        key="changed",
    )
    layer: str | None = option(None, "layer of a mask or cam file; default: all, in folders", panel=INPUT)
    prefix: str | None = option(None, "prefix of the folder names of layers, such as PM_", panel=OUTPUT)
    flat: bool = option(
        False,
        "write all files into one folder, without the folders of the images",
        panel=OUTPUT,
        spelling="--flat",
    )
    force: bool = redeclared(
        Completion, "force", False, help="write into a folder that is not empty, or over a file"
    )

    @property
    def is_network(self) -> bool:
        """Whether a network is to be written."""
        is_weights = Path(str(self.source)).suffix in WEIGHTS_FILES and self.expressions is None
        return self.format in NETWORK_FORMATS or is_weights

    @property
    def limits_scores(self) -> bool:
        """Whether objects are chosen by their scores."""
        return bool(self.score_threshold) or self.score_below is not None


@dataclass(frozen=True, kw_only=True)
class ImportOptions(Like, SentenceSource, RecordOutput):
    """Instance masks, class probabilities or sentences of another program."""

    other_formats = (".jsonl", ".json")

    annotations: Path | None = option(
        None,
        "file of COCO, CVAT for images 1.1, Label Studio or LabelMe (JSON), or its zip; folder of LabelMe "
        "files, or of class probabilities (NAME.npy, or NAME/CLASS.png)",
        positional=True,
    )
    expressions: Path | None = redeclared(SentenceSource, "expressions", None, help=_SENTENCES)
    images: Path | None = option(
        None,
        "data folder for checking image names and sizes; default: as stated in the file",
        panel=INPUT,
        key=False,
    )
    shuffle: int | None = option(
        None,
        "for sentences: exchange them between images at random, with this seed (for eval --shuffled)",
        panel=METHOD,
        key=False,
        at_least=0,
    )
    class_list: Path | None = redeclared(DataFolder, "class_list", None, key=True)
    output: Path | None = redeclared(
        RecordOutput,
        "output",
        None,
        help="output file, written atomically; default for masks: standard output; sentences need a file",
    )
    force: bool = redeclared(
        Completion, "force", False, help="recompute masks that are up to date; write over a file of sentences"
    )
