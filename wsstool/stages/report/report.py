"""``report``: scores, images, curves and history of a whole chain as one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.atomic import write_text
from wsstool.data.palettes import class_palette
from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.metrics.segmentation import image_mean_ious
from wsstool.options import takes
from wsstool.report.curves import line_chart, read_log
from wsstool.report.html import render
from wsstool.report.page import Curves, Gallery, Page, Ranking, ScoreRow
from wsstool.stages.options.scoring import ReportOptions
from wsstool.stages.report.image_gallery import ImageFile, galleries, rankings
from wsstool.stages.report.object_gallery import ObjectFile, RankedObjects, object_galleries
from wsstool.stages.report.robustness_curves import robustness_curves, robustness_fact
from wsstool.stages.report.sentence_gallery import (
    SentenceFile,
    open_sentences,
    sentence_fact,
    sentence_galleries,
    sentence_ranking,
)
from wsstool.stages.robustness.summary import summarise as summarise_robustness
from wsstool.stages.scoring.ground_truth import Truth, find_truth
from wsstool.stages.scoring.label_map_counts import LabelMapCounts
from wsstool.stages.scoring.label_map_scores import Rules
from wsstool.stages.scoring.label_maps import LABEL_MAPS, count_images, summarise
from wsstool.stages.scoring.predictions import data_root, open_predictions
from wsstool.stages.scoring.score_file import is_score_file, read_counts
from wsstool.stages.scoring.sentences.scores import summarise as summarise_sentences
from wsstool.types import SILENT, ClassList, Messages

_CHARTS, _CONFUSIONS = 12, 8


@dataclass
class Part:
    """One source of the report: its counts where there is truth, its records where it has some."""

    name: str
    is_twin: bool
    records: store.RandomAccess | None
    truth: Truth | None = None
    scores: LabelMapCounts | None = None
    sentences: SentenceFile | None = None

    @property
    def classes(self) -> ClassList:
        """The class list of its records, or of its score file."""
        return self.records.header.classes if self.records is not None else self.scores.classes  # type: ignore[union-attr]

    @property
    def is_robustness(self) -> bool:
        """Whether it has scores under corruption in place of maps."""
        return self.records is not None and self.records.header.payload == "score"

    @property
    def holds_objects(self) -> bool:
        """Whether it has windows of boxes in place of maps of images."""
        return self.records is not None and "box" in self.records.header.columns


@takes(ReportOptions)
def report(options: ReportOptions, *, messages: Messages = SILENT) -> dict[str, Any]:
    """Write one self-contained HTML file.

    Files of the same images share a gallery, in the order given: image, CAM, pseudo-mask, prediction, truth.
    Worst and best are by the per-image mIoU of the last mask file that is not the fully supervised reference,
    among images with several labels if there are enough of them. Masks of boxes (``selection`` files) are
    shown one by one with the maps of ``contour`` files, and so are masks of sentences, sorted by IoU, or
    without ground truth by their own score. Everything that is sorted is listed whole as well. Score files
    of ``robustness`` become charts of score against severity.

    Args:
        options: see ``wsstool report --help``.
        messages: where progress and warnings go.

    Returns:
        ``output``, ``bytes``, and the score summaries as ``scores``.

    Raises:
        MissingInputError: a file, its images or the named ground truth are not there.
        BadInputError: files of different classes, or masks that do not fit.
        UsageError: no file to report on.
    """
    opened = [_open(text, False) for text in options.sources]
    opened += [_open(options.twin, True)] if options.twin else []
    if not opened:
        raise UsageError("name at least one file to report on")
    robust = _robustness(opened)
    parts = [part for part in opened if not part.is_robustness]
    classes = opened[0].classes
    rules = Rules.of(options, classes)
    summaries = []
    for part in parts:
        _score(part, options, messages)
        if part.classes.names != classes.names:
            raise BadInputError(f"'{part.name}' and '{parts[0].name}' have different classes")
        if part.scores is not None:
            summaries.append((part, summarise(part.scores, options)))
    named = {part.name: _sentence_scores(part.sentences, options) for part in parts if part.sentences}
    palette = class_palette(classes)
    shown, lists = _galleries(parts, rules, options, messages)
    judged = next((p for p in reversed(parts) if p.scores and not p.is_twin), None)
    page = Page(
        title=options.title,
        facts=[
            *_facts(parts),
            *((name, sentence_fact(one)) for name, one in named.items() if one),
            *((name, robustness_fact(one)) for name, one in robust.items()),
        ],
        classes=[(n, tuple(palette[i].tolist())) for i, n in enumerate(classes.names)],  # type: ignore[misc]
        shares=_shares(judged),
        background=classes.background,
        rows=[_row(part, row, len(said["rows"])) for part, said in summaries for row in said["rows"]],
        definition=summaries[-1][1]["definition"] + "." if summaries else "",
        confusions=_confusions(judged, rules),
        galleries=shown,
        rankings=lists,
        curves=[*robustness_curves(robust), *(_curves(Path(path)) for path in options.log or ())],
        provenance=[
            (p.name, [step["command"] for step in p.records.header.provenance]) for p in opened if p.records
        ],
    )
    text = render(page)
    write_text(Path(options.output), text)
    scores = [{**said, "source": part.name} for part, said in summaries]
    scores += [{**said, "source": name} for name, said in (*robust.items(), *named.items()) if said]
    return {"output": str(options.output), "bytes": len(text.encode()), "scores": scores}


def _robustness(parts: Sequence[Part]) -> dict[str, dict[str, Any]]:
    """Return name -> scores under corruption."""
    found: dict[str, dict[str, Any]] = {}
    for part in parts:
        if part.is_robustness and part.records:
            if part.name in found:
                raise UsageError(f"two score files are called '{part.name}'; name them: NAME=FILE")
            found[part.name] = summarise_robustness(part.records.path)
    return found


def _galleries(
    parts: Sequence[Part], rules: Rules, options: ReportOptions, messages: Messages
) -> tuple[list[Gallery], list[Ranking]]:
    """The images of label maps and class maps, then the masks of boxes and of sentences; and whole lists."""
    shown = [
        ImageFile(p.name, p.is_twin, p.records, p.truth, _image_scores(p, rules), _image_tags(p))
        for p in parts
        if p.records and not p.holds_objects
    ]
    objects = [
        ObjectFile(p.name, p.records) for p in parts if p.records and p.holds_objects and not p.sentences
    ]
    masks, maps = (
        [one for one in objects if one.records.header.payload == payload]
        for payload in ("selection", "contour")
    )
    ranked = [RankedObjects.of(file, options, messages) for file in masks]
    sentences = [part.sentences for part in parts if part.sentences]
    found = [
        *galleries(shown, options),
        *object_galleries(ranked, maps, options),
        *sentence_galleries(sentences, maps, options),
    ]
    lists = [*rankings(shown), *(one.ranking() for one in ranked), *map(sentence_ranking, sentences)]
    return found, lists


def _open(text: str, is_twin: bool) -> Part:
    name, equals, path = text.partition("=")
    if not equals or Path(text).exists():
        name, path = "", text
    if is_score_file(path):
        return Part(name or Path(path).stem, is_twin, None, None, read_counts(path, LABEL_MAPS))
    kinds = ("cam", "mask", "contour", "selection", *(() if is_twin else ("score",)))
    records = store.open_random(path, kinds=kinds, command="report", sentences=True)
    return Part(name or (records.header.stage if path == "-" else Path(path).stem), is_twin, records)


def _score(part: Part, options: ReportOptions, messages: Messages) -> None:
    """Count a part against the ground truth; without any a report has images only."""
    if (
        part.records
        and part.records.header.sentences is not None
        and part.records.header.payload != "contour"
    ):
        part.sentences = open_sentences(part.name, part.records, options, messages)
    if part.records is None or part.holds_objects:
        return
    header, path = part.records.header, part.records.path
    try:
        root = data_root(header, path, options.images)
        part.truth = find_truth(header.images, root, header.classes, options.truth, path)
    except MissingInputError:
        if options.truth is not None:
            raise
        messages.warn(f"{part.name}: no ground-truth masks found, so no scores are reported")
        return
    part.truth.require_known(header.classes, f"'{part.name}'")
    with open_predictions(
        path,
        background_threshold=options.background_threshold,
        background=options.background,
        command="report",
    ) as predictions:
        part.scores = count_images(predictions, part.truth, messages=messages)


def _sentence_scores(file: SentenceFile, options: ReportOptions) -> dict[str, Any]:
    """Return the scores of masks of sentences; empty without ground truth."""
    return summarise_sentences(file.counts, options) if file.counts else {}


def _row(part: Part, row: dict[str, Any], n: int) -> ScoreRow:
    interval = row.get("interval")
    details = {
        "pixel acc.": row["pixel_accuracy"],
        "mean acc.": row["mean_accuracy"],
        "FWIoU": row["fwiou"],
        "false pos.": row["false_positive"],
        "false neg.": row["false_negative"],
        "per image": row["image_miou"],
    }
    if row["several_labels"]["images"]:
        details["2+ labels"] = row["several_labels"]["miou"]
    return ScoreRow(
        part.name if n == 1 else f"{part.name}, {row['name']}",
        row["miou"],
        (interval["low"], interval["high"]) if interval else None,
        row["blind"]["miou"],
        row["blind"]["rule"],
        details,
        list(row["classes"]["iou"].values()),
        part.is_twin,
    )


def _image_scores(part: Part, rules: Rules) -> dict[str, float]:
    """Per-image mIoU of a part's last layer, by image name."""
    if part.scores is None:
        return {}
    confusion = part.scores.rows[-1].confusion
    scores = image_mean_ious(
        confusion.images(), confusion.n_classes, background=rules.background, **rules.arguments()
    )
    return {n: float(s) for n, s in zip(part.scores.images, scores, strict=True) if not np.isnan(s)}


def _image_tags(part: Part) -> dict[str, tuple[str, ...]]:
    """Names of the foreground classes of each image, by image name; empty where they are not known."""
    if part.scores is not None:
        images, tags = tuple(part.scores.images), part.scores.tags
    elif part.records is not None and part.records.header.labels is not None:
        images, tags = part.records.header.images, part.records.header.labels > 0
    else:
        return {}
    names = part.classes.names
    return {
        image: tuple(names[c] for c in part.classes.foreground if row[c])
        for image, row in zip(images, tags, strict=True)
    }


def _facts(parts: Sequence[Part]) -> list[tuple[str, str]]:
    facts = []
    for part in parts:
        n = len(part.records) if part.records is not None else len(part.scores.images)  # type: ignore[union-attr]
        if part.holds_objects:
            header = part.records.header  # type: ignore[union-attr]
            what = "objects" if header.sentences is None else "sentences"
            facts.append((part.name, f"{len(header.columns['box'])} {what} in {n} images"))
            continue
        failed = f", {part.scores.failed} failed" if part.scores and part.scores.failed else ""
        facts.append((part.name, f"{n} images{failed}"))
    return facts


def _shares(part: Part | None) -> list[float]:
    if part is None or part.scores is None:
        return []
    pixels = part.scores.rows[-1].confusion.matrix.sum(axis=1)
    return (pixels / max(1, pixels.sum())).tolist()


def _confusions(part: Part | None, rules: Rules) -> list[tuple[str, str, str, float]]:
    """The largest cells off the diagonal, with their part of the true class's pixels."""
    if part is None or part.scores is None:
        return []
    names = part.scores.classes.names
    matrix = part.scores.rows[-1].confusion.matrix
    wrong = matrix[:, : len(names)] * ~np.eye(len(names), dtype=bool)
    if rules.ignore_class is not None:
        wrong[rules.ignore_class] = 0
    order = np.argsort(-wrong, axis=None, kind="stable")[:_CONFUSIONS]
    cells = [divmod(int(k), len(names)) for k in order if wrong.flat[k] > 0]
    return [(part.name, names[t], names[p], float(wrong[t, p] / matrix[t].sum())) for t, p in cells]


def _curves(path: Path) -> Curves:
    charts = [(name, line_chart({name: points}, label=name)) for name, points in read_log(path).items()]
    return Curves(f"Training: {path.name}", charts[:_CHARTS])
