"""The options of ``eval``, ``robustness`` and ``report``, own and shared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wsstool.options import Options, Unused, option, redeclared
from wsstool.stages.options.groups import (
    INPUT,
    METHOD,
    MODEL,
    OUTPUT,
    RUNTIME,
    DataFolder,
    Frost,
    ImagesOfRecords,
    Inference,
    PublishedWeights,
    RecordOutput,
    SentenceSource,
    Shard,
)
from wsstool.stages.options.metrics import choices


@dataclass(frozen=True, kw_only=True)
class LabelMapScores(Options):
    """How label maps, and class maps made into label maps, are scored."""

    truth: Path | None = option(
        None,
        "folder of ground-truth masks, data folder or COCO file; default: found beside the images",
        panel=INPUT,
    )
    classes_with_truth: bool = option(
        False,
        "mean over classes with ground truth; default: with ground truth or prediction",
        panel=METHOD,
        spelling="--classes-with-truth",
    )
    ignore_class: str | None = option(
        None,
        "class whose ground-truth pixels are not scored, by name or id (white background)",
        panel=METHOD,
    )
    ignored_prediction: Literal["wrong", "background", "skip"] = option(
        "wrong", "how to count predicted pixels with value 255", panel=METHOD
    )
    background_threshold: float = option(
        0.3,
        "for class maps: background where no class has a higher score",
        panel=METHOD,
        at_least=0,
        at_most=1,
        unused=Unused(lambda o: o.background == "none", "with --background none, which uses no threshold"),
    )
    background: Literal["auto", "none"] = option(
        "auto",
        "'auto': as in the class list; 'none': every pixel belongs to a tagged class",
        panel=METHOD,
    )
    bootstrap: int = option(1000, "resamples for the 95 % interval; 0: no interval", panel=METHOD, at_least=0)
    seed: int = option(
        0,
        "seed of the resampling",
        panel=RUNTIME,
        at_least=0,
        unused=Unused(lambda o: o.bootstrap == 0, "with --bootstrap 0"),
    )


@dataclass(frozen=True, kw_only=True)
class EvalOptions(LabelMapScores, SentenceSource):
    """Scores of predictions."""

    sources: list[str] | None = option(
        None,
        "mask, cam, box, proposal, contour or selection file, several or @LIST: the shards of one run, "
        "folder of masks, detections (COCO results, CSV, YOLO text), or score files of eval -o, which are "
        "joined; '-' or omitted: standard input",
        positional=True,
    )
    split: str | None = option(
        None,
        "score only this part of the data, by name or as a file of image names",
        panel=INPUT,
        exists=False,
    )
    class_list: Path | None = option(
        None,
        "class list of the ground truth, and of a folder of masks that has none of its own: a file, names "
        "joined by commas, luad or bcss; default: found beside the masks",
        panel=INPUT,
        exists=False,
    )
    expressions: Path | None = redeclared(
        SentenceSource,
        "expressions",
        None,
        help="for masks of sentences: file with the sentences and ground-truth masks, or its folder; "
        "default: found in the data folder",
    )
    shuffled: Path | None = option(
        None,
        "for masks of sentences: predictions of the same network for shuffled sentences (import --shuffle), "
        "as a baseline",
        panel=METHOD,
    )
    normalise: Literal["auto", "joint", "class", "minmax", "probability", "none"] = option(
        "auto",
        "scaling of class maps to [0, 1]; auto: 'none' for probabilities of cam, 'probability' after "
        "predict, else 'joint'",
        panel=METHOD,
    )
    sweep: bool = option(
        False,
        "for class maps: best background threshold, for maps of boxes: IoU at each threshold; the best is "
        "chosen with the ground truth (an oracle)",
        panel=METHOD,
        spelling="--sweep",
    )
    boundary: bool = option(
        False,
        "also boundary IoU; always included for masks of boxes",
        panel=METHOD,
        spelling="--boundary",
    )
    boundary_of: Literal["image", "object"] = option(
        "image",
        "for masks of boxes: width of a boundary relative to the diagonal of the image, or of the box around "
        "the object's ground-truth mask",
        panel=METHOD,
        key="changed",
    )
    boundary_ratio: float = option(
        0.02,
        "width of a boundary as a fraction of that diagonal; at least one pixel",
        panel=METHOD,
        above=0,
        below=1,
        key="changed",
    )
    min_area: int = option(
        100,
        "for masks and maps of boxes: minimum ground-truth mask area, in pixels, of the objects scored "
        "(by_box_area: minimum box area)",
        panel=METHOD,
        at_least=0,
    )
    ap: bool = option(
        False, "for masks of boxes: also COCO's average precision", panel=METHOD, spelling="--ap"
    )
    of: Literal["auto", "box", "mask"] = option(
        "auto",
        "for detections: compare boxes (COCO bbox) or masks (COCO segm); auto: masks if all have one",
        panel=METHOD,
    )
    group: str | None = option(
        None,
        "column of meta.csv, or FILE:COLUMN; images with equal values (patient) are resampled together",
        panel=METHOD,
        exists=False,
    )
    against: Path | None = option(
        None,
        "score file of another method on the same images or sentences; reports differences with intervals",
        panel=METHOD,
    )
    fail_under: str | None = option(
        None,
        f"exit code 4 when a row is below FRACTION (0 to 1); METRIC {choices()}",
        panel=OUTPUT,
        metavar="[METRIC=]FRACTION",
    )
    output: Path | None = option(
        None,
        "score file (JSON) with the counts per image; always written anew",
        panel=OUTPUT,
        spelling=("--output", "-o"),
    )


@dataclass(frozen=True, kw_only=True)
class RobustnessOptions(DataFolder, Shard, Frost, PublishedWeights, Inference, RecordOutput):
    """Scores of a network on corrupted images."""

    data: Path = redeclared(
        DataFolder, "data", ..., help="data folder with tags or masks, or a score file of robustness -o"
    )
    weights: Path | None = option(
        None, "classifier or segmenter (.pth); required with a data folder", panel=MODEL, key=False
    )
    truth: Path | None = redeclared(LabelMapScores, "truth", None)
    corruption: list[str] | None = option(
        None,
        "corruption, or a group: noise, blur, weather, digital, extra; repeatable; default: all 19",
        panel=METHOD,
    )
    severity: list[int] | None = option(
        None, "severity; repeatable; default: all five", panel=METHOD, at_least=1, at_most=5
    )
    severity_set: Literal["all", "segformer"] = option(
        "all",
        "'segformer': severities 1 to 3 of noise and 1 to 5 of the rest, as for the City-C averages",
        panel=METHOD,
        unused=Unused(lambda o: o.severity is not None, "with --severity"),
    )
    corrupt_at: Literal["native", "input"] = option(
        "native",
        "corrupt before ('native') or after ('input') resizing to --image-size",
        panel=METHOD,
        unused=Unused(lambda o: o.image_size is None, "without --image-size"),
    )
    image_size: int | None = option(
        None,
        "short side of the network's input in pixels; default: images as they are",
        panel=METHOD,
        at_least=1,
    )
    crop: bool = option(
        False,
        "for classifiers: cut the central square out of the resized image, as published for ImageNet",
        panel=METHOD,
        spelling="--crop",
        unused=Unused(lambda o: o.image_size is None, "without --image-size"),
    )
    subset: Path | None = option(
        None,
        "for classifiers: file with the numbers of the outputs that may win, one per line (ImageNet-A, -R)",
        panel=MODEL,
        key=False,
    )
    score: Literal["class", "combined"] | None = option(
        None,
        "with a token head: logits of the class token, or those plus half the largest of any token; default: "
        "combined",
        panel=MODEL,
    )
    seed: int = option(0, "seed of the corruptions", panel=RUNTIME, at_least=0)
    output: Path | None = redeclared(
        RecordOutput,
        "output",
        None,
        help="score file (HDF5), which an interrupted run continues and 'merge' joins; default: none",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.corruption is not None:
            from wsstool.corruptions import selected  # imports scipy

            selected(self.corruption)


@dataclass(frozen=True, kw_only=True)
class ReportOptions(LabelMapScores, SentenceSource):
    """A page with the scores and images of a whole pipeline."""

    sources: list[str] = option(
        ...,
        "cam, mask, contour, selection or score files (of eval and robustness), as FILE or NAME=FILE, in the "
        "order shown",
        positional=True,
    )
    output: Path = option(..., "HTML file; always written anew", panel=OUTPUT, spelling=("--output", "-o"))
    images: Path | None = redeclared(
        ImagesOfRecords,
        "images",
        None,
        help="folder with the images of the input files; default: the folder they were made from",
    )
    expressions: Path | None = redeclared(
        SentenceSource,
        "expressions",
        None,
        help="for masks of sentences: file with the sentences and ground-truth masks, or its folder; "
        "default: found in the data folder",
    )
    twin: str | None = option(
        None, "mask file of the fully supervised reference: FILE or NAME=FILE", panel=INPUT, exists=False
    )
    log: list[Path] | None = option(None, "training log (JSON lines); repeatable", panel=INPUT)
    strips: Path | None = option(None, "folder for one PNG strip per image or object shown", panel=OUTPUT)
    samples: int = option(
        3,
        "number of images of each kind (worst, typical, best); for masks of boxes and of sentences, four "
        "masks per image",
        panel=OUTPUT,
        at_least=0,
    )
    title: str = option("Weakly supervised segmentation", "heading", panel=OUTPUT)
