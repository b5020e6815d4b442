"""Sentences and the masks of a ``selection`` file, or the ground truth of a data folder, as training data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsstool import store
from wsstool.errors import BadInputError, UsageError
from wsstool.stages.inputs.image_folder import image_folder
from wsstool.stages.inputs.named_objects import open_named_objects
from wsstool.stages.inputs.sentences import open_sentences
from wsstool.stages.objects.columns import BoxColumns
from wsstool.stages.options.trainers.cotrain import CotrainOptions
from wsstool.stages.train.referring.masks import NamedMasks
from wsstool.store.provenance import canonical_json, digest
from wsstool.training.images.sentence_images import NamedObject
from wsstool.types import Messages

NEAR = 1.0
"""Boxes whose corners differ by less, pixels, are the same object."""


@dataclass(frozen=True)
class Sentence:
    """One training sentence: number of its image, number of its mask, its box and its text."""

    image: int
    mask: int
    box: np.ndarray
    text: str


@dataclass(frozen=True)
class MaskedSentences:
    """Images, sentences about them, and a mask for each.

    Attributes:
        paths: N image files.
        sizes: (N, 2) rows and columns.
        sentences: image by image.
        masks: object -> (H,W) uint8, 1 object, 0 not, 255 unknown; its ``number`` is that of the mask.
        inputs: for the key and the history.
        supervision: ``pseudo-masks`` or ``ground-truth masks``.
        split: the part of a data folder, None for all.
        failed: images whose masks could not be made by the stage before.
    """

    paths: list[Path]
    sizes: np.ndarray
    sentences: list[Sentence]
    masks: Callable[[NamedObject], np.ndarray]
    inputs: list[store.Input]
    supervision: str
    split: str | None = None
    failed: int = 0


class WindowMasks:
    """Object -> (H,W) uint8 mask of the entry of a ``selection`` file; 0 outside its window; picklable."""

    def __init__(self, records: store.RandomAccess) -> None:
        self.records = records

    def __call__(self, one: NamedObject) -> np.ndarray:
        header = self.records.header
        mask = np.zeros(tuple(header.sizes[one.image].tolist()), np.uint8)
        first = int(header.columns["box_offset"][one.image])
        x0, y0, x1, y1 = header.columns["window"][one.number]
        mask[y0:y1, x0:x1] = self.records[one.image].windows[one.number - first]
        return mask


def open_masked_sentences(options: CotrainOptions, messages: Messages) -> MaskedSentences:
    """Open a data folder with its ground truth, anything else as a ``selection`` file.

    The sentences of a selection file are its own, or with ``expressions`` those of that file, of objects
    whose box is in the selection.

    Raises:
        UsageError: ``split`` with a file.
        BadInputError: no sentence with a mask. Others: see the parts.
    """
    if options.source is not None and Path(options.source).is_dir():
        return _in_folder(options, Path(options.source), messages)
    if options.split is not None or options.files_from is not None:
        raise UsageError("--split and --files-from apply to data folders, not to selection files")
    return _in_records(options, messages)


def _in_folder(options: CotrainOptions, data: Path, messages: Messages) -> MaskedSentences:
    source = open_named_objects(
        data,
        options.expressions,
        split=options.split,
        name_list=options.name_list,
        training=True,
        messages=messages,
    )
    has_mask = np.array([row.mask is not None for row in source.rows], bool)
    if not has_mask.any():
        raise BadInputError(f"no object of {source.source} has a mask, from which to learn")
    source = source.only(has_mask)
    masks = NamedMasks(source)
    sentences = [
        Sentence(int(image), number, np.array(row.box or (0, 0, 1, 1), np.float32), text)
        for number, (row, image) in enumerate(zip(source.rows, source.image_of, strict=True))
        for text in row.sentences
    ]
    return MaskedSentences(
        [source.dataset.path(i) for i in range(len(source.dataset))],
        source.dataset.sizes(),
        sentences,
        masks,
        [*source.inputs, masks.input],
        "ground-truth masks",
        source.split,
    )


def _in_records(options: CotrainOptions, messages: Messages) -> MaskedSentences:
    records = store.open_random(options.source, kinds=("selection",), command="cotrain", sentences=True)
    header = records.header
    folder = image_folder(header, options.images, options.source)
    columns = BoxColumns.of_header(header)
    done = records.tail["status"] == store.DONE
    inputs = [header.as_input(path=options.source)]
    if options.expressions is not None:
        sentences = _matched(columns, folder, options.expressions, messages)
        content = [[one.image, one.mask, one.text] for one in sentences]
        identity = {"fingerprint": digest(canonical_json(content))}
        inputs.append(store.Input("expressions", identity, str(options.expressions)))
    elif columns.sentences is None:
        raise BadInputError(
            f"'{options.source or '-'}' has no sentences, which --arch {options.arch} learns to read; name a "
            "file with the sentences of its boxes with --expressions"
        )
    else:
        sentences = [
            Sentence(i, row, columns.given_boxes[row], columns.sentences[row])
            for i in range(len(columns))
            for row in columns.rows(i)
        ]
    sentences = [one for one in sentences if done[one.image]]
    if not sentences:
        raise BadInputError(f"'{options.source or '-'}' has no mask of an object with a sentence")
    return MaskedSentences(
        [folder / name for name in header.images],
        np.asarray(header.sizes),
        sentences,
        WindowMasks(records),
        inputs,
        "selected masks",
        failed=int((~done).sum()),
    )


def _matched(columns: BoxColumns, folder: Path, source: Path, messages: Messages) -> list[Sentence]:
    """Return the sentences of a file about objects whose box is in the selection.

    Of several entries with that box the one with the same sentence is taken, else the first.
    """
    expressions = open_sentences(folder, source, messages=messages)
    place = {name: i for i, name in enumerate(columns.images)}
    boxes, texts = columns.given_boxes, columns.sentences
    found, lost = [], 0
    for row in expressions.rows:
        i = place.get(row.image, -1)
        if i < 0 or row.box is None:
            continue
        there = [k for k in columns.rows(i) if np.abs(boxes[k] - row.box).max() < NEAR]
        lost += not there
        for text in row.sentences if there else ():
            equal = [k for k in there if texts is not None and texts[k] == text]
            entry = (equal or there)[0]
            found.append(Sentence(i, entry, boxes[entry], text))
    if lost:
        messages.say(f"left out {lost} objects of {expressions.source} whose box is not in the selection")
    return sorted(found, key=lambda one: one.image)
