"""The masks of sentences in the report: image, map, mask and ground truth of each, worst first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.errors import MissingInputError, WsstoolError
from wsstool.regions import box_mask
from wsstool.report.overlays import blend, blend_scores, errors, fitted, jpeg, label_borders
from wsstool.report.page import Gallery, Panel, Ranking, Sample
from wsstool.stages.inputs.image_batches import read_sized_image
from wsstool.stages.inputs.image_folder import image_folder
from wsstool.stages.options.scoring import ReportOptions
from wsstool.stages.report.image_gallery import CaptionedImage, worst_typical_best, write_strip
from wsstool.stages.report.object_gallery import BOX, HEIGHT, PER_SAMPLE, ObjectFile
from wsstool.stages.scoring.sentences.counts import SentenceScores
from wsstool.stages.scoring.sentences.measure import MASKS, count_image
from wsstool.stages.scoring.sentences.scores import TITLES
from wsstool.stages.scoring.sentences.truth import SentenceTruth, find_sentences
from wsstool.types import Messages

_SHOWN = ("overall_iou", "mean_iou", "prec_50")
_PALETTE = np.zeros((256, 3), np.uint8)
_PALETTE[1] = 213, 94, 0


@dataclass
class SentenceFile(ObjectFile):
    """A file with one mask per sentence, and what it is compared with.

    Attributes:
        truth: the sentences and their masks; None: not found.
        counts: of the sentences that have ground truth.
    """

    truth: SentenceTruth | None = None
    counts: SentenceScores | None = None

    @property
    def ious(self) -> dict[int, float]:
        """Number of the entry -> IoU; of a sentence without a target 1 if its mask is empty, else 0."""
        if self.counts is None:
            return {}
        return dict(zip(self.counts.entries, self.counts.of(MASKS).iou.tolist(), strict=True))


def open_sentences(
    name: str, records: store.RandomAccess, options: ReportOptions, messages: Messages
) -> SentenceFile:
    """Compare the masks of a file with the ground truth, if that is found.

    Raises:
        MissingInputError: the named ground truth is not there.
        BadInputError: it does not fit the file.
    """
    file, given = SentenceFile(name, records), (options.expressions, options.truth)
    try:
        file.truth, root = find_sentences(
            records.header, records.path, expressions=given[0], truth=given[1], images=options.images
        )
    except MissingInputError:
        if any(given):
            raise
        messages.warn(f"{name}: no sentences with ground-truth masks found, so no scores are reported")
        return file
    file.counts = SentenceScores(name, file.truth.source, [], root=root)
    for i in range(len(records)):
        count_image(records[i], file.truth, file.counts)
    return file


def sentence_fact(summary: dict[str, Any]) -> str:
    """Return the scores of a file as one line."""
    (row,) = summary["rows"]
    parts = [f"{title} {_number(row[name])}" for name, title in TITLES.items() if name in _SHOWN]
    parts += [f"{name} {_number(one['overall_iou'])}" for name, one in row["baselines"].items()]
    if row["no_target"]["sentences"]:
        parts.append(f"empty without a target {_number(row['no_target']['accuracy'])}")
    return ", ".join(parts)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def sentence_galleries(
    files: Sequence[SentenceFile], maps: Sequence[ObjectFile], options: ReportOptions
) -> list[Gallery]:
    """Return galleries of the worst, typical and best masks of each file.

    Args:
        files: masks of sentences, sorted by IoU, or by their own score without ground truth.
        maps: ``contour`` files whose maps of the same sentences are shown beside them.
        options: a fourth of the number of sentences of each kind, where the images are, and the folder for
            strips, named after file, kind, place and image.

    Raises:
        MissingInputError: an image is not there.
        WsstoolError: an image has another size than when the file was made.
    """
    found = []
    for file in files:
        folder = image_folder(file.records.header, options.images, file.records.path)
        order, by = _ordered(file)
        for title, rows in worst_typical_best(order, options.samples * PER_SAMPLE, "sentences"):
            shown = []
            for place, row in enumerate(rows):
                sample, captioned = _sample(file, maps, row, folder)
                shown.append(sample)
                if options.strips is not None:
                    kind = title.split()[0].strip(",").lower()
                    stem = Path(_image(file.records.header, row)).stem
                    text = file.records.header.sentences[row]  # type: ignore[index]
                    name = f"{file.name}-{kind}-{place:03d}-{stem}.png"
                    write_strip(Path(options.strips), name, captioned, title=text)
            found.append(Gallery(title, f"{file.name}. Sorted by {by}.", shown))
    return found


def sentence_ranking(file: SentenceFile) -> Ranking:
    """Return all sentences of a file, the worst mask first."""
    order, by = _ordered(file)
    header, tail, ious = file.records.header, file.records.tail, file.ious
    columns = ["image", "sentence", *(["score"] if "score" in tail else []), *(["IoU"] if ious else [])]
    rows = []
    for row in order:
        cells: list[str | float | None] = [_image(header, row), header.sentences[row]]  # type: ignore[index]
        cells += [float(tail["score"][row])] if "score" in tail else []
        rows.append([*cells, *([ious[row]] if ious else [])])
    first = "in the order of the images" if by == "image" else f"lowest {by} first"
    return Ranking(f"All {len(rows)} sentences of {file.name}, {first}", columns, rows)


def _ordered(file: SentenceFile) -> tuple[list[int], str]:
    """Numbers of the entries, the worst first, and by what; those of failed images are left out."""
    header, tail = file.records.header, file.records.tail
    done = np.repeat(tail["status"] == store.DONE, np.diff(header.columns["box_offset"]))
    rows = np.flatnonzero(done).tolist()
    if ious := file.ious:
        return sorted((row for row in rows if row in ious), key=ious.__getitem__), "IoU"
    if "score" in tail:
        return sorted(rows, key=lambda row: float(tail["score"][row])), "mask score"
    return rows, "image"


def _image(header: store.Header, row: int) -> str:
    return header.images[_image_number(header, row)]


def _image_number(header: store.Header, row: int) -> int:
    return int(np.searchsorted(header.columns["box_offset"], row, side="right")) - 1


def _sample(
    file: SentenceFile, maps: Sequence[ObjectFile], row: int, folder: Path
) -> tuple[Sample, list[CaptionedImage]]:
    """Return the captions and images of one sentence: always the whole image, since it may speak of all."""
    header, i = file.records.header, _image_number(file.records.header, row)
    record, tail = file.records[i], file.records.tail
    image = read_sized_image(folder / record.name, header.sizes[i])
    if isinstance(image, WsstoolError):
        raise image
    mask = next(islice(record.placed, row - header.rows(i, "box").start, None))
    captioned = [("image", _boxed(image, header.columns["box"][row]))]
    for other in maps:
        values = _map(other.records, header, i, row)
        if values is not None:
            captioned.append((other.name, blend_scores(image, values[None], [1], _PALETTE)))
    captioned.append((file.name, blend(image, mask, _PALETTE, background=0)))
    notes = [f"IoU {file.ious[row]:.2f}"] if row in file.ious else []
    notes += [f"score {tail['score'][row]:.2f}"] if "score" in tail else []
    true = _truth(file, record, row)
    if true is not None:
        captioned.append(("ground truth", blend(image, true.astype(np.uint8), _PALETTE, background=0)))
        captioned.append(("errors", errors(image, (mask == 1).astype(np.uint8), true.astype(np.uint8))))
    elif row in file.ious:
        notes.append("no target")
    captioned = [(caption, fitted(panel, HEIGHT)) for caption, panel in captioned]
    panels = [Panel(caption, jpeg(panel)) for caption, panel in captioned]
    text = header.sentences[row]  # type: ignore[index]
    return Sample(f"“{text}” ({record.name})", ", ".join(notes), panels), captioned


def _boxed(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Return the image with the outline of the box, if there is one."""
    shown = image.copy()
    if not np.isnan(box).any():
        shown[label_borders(box_mask(box, image.shape).astype(np.uint8))] = BOX
    return shown


def _map(records: store.RandomAccess, header: store.Header, i: int, row: int) -> np.ndarray | None:
    """(H, W) float32: the map of the same sentence about the same object; None without one."""
    theirs = records.header
    if theirs.sentences is None or header.images[i] not in theirs.images:
        return None
    k = theirs.images.index(header.images[i])
    rows, record = theirs.rows(k, "box"), records[k]
    wanted = int(header.columns["box_id"][row]), header.sentences[row]  # type: ignore[index]
    if record.failed:
        return None
    entries = zip(theirs.columns["box_id"][rows].tolist(), theirs.sentences[rows], strict=True)
    return next((one for entry, one in zip(entries, record.placed, strict=True) if entry == wanted), None)


def _truth(file: SentenceFile, record: store.Record, row: int) -> np.ndarray | None:
    """(H, W) bool: the ground-truth mask of an entry; None without one."""
    number = int(record.header.columns["box_id"][row])
    return None if file.truth is None else file.truth.image(record).masks.get(number)
