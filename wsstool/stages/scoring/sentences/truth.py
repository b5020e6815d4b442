"""The sentences of a set with the ground-truth masks of their objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.data.boxes.table import BoxTable, read_boxes
from wsstool.data.dataset import Dataset
from wsstool.data.geometry.shapes import shape_mask
from wsstool.errors import BadInputError, MissingInputError, WsstoolError
from wsstool.expressions.expression import Expression
from wsstool.expressions.recognise import read_expressions
from wsstool.stages.inputs.sentences import image_names, rows_of_split
from wsstool.stages.scoring.predictions import data_folder
from wsstool.types import ClassList


@dataclass(frozen=True)
class ImageTruth:
    """The objects of one image.

    Args:
        rows: those with sentences, of all splits.
        masks: number -> (H, W) bool mask of an object with sentences; None if it is not known.
        annotated: masks of the annotated objects, with and without sentences.
    """

    rows: Sequence[Expression]
    masks: dict[int, np.ndarray | None]
    annotated: Sequence[np.ndarray]

    @property
    def objects(self) -> list[np.ndarray]:
        """The known masks of all objects, some of them twice."""
        return [*(one for one in self.masks.values() if one is not None), *self.annotated]


@dataclass(frozen=True)
class SentenceTruth:
    """Objects with sentences and their masks.

    Args:
        source: the file, for messages.
        rows: image -> its objects, of all splits.
        chosen: numbers of the objects to score.
        table: all annotated objects of the images of a record file, in its order, if their boxes were found.
        elsewhere: sentences to score about images that are not in the record file.
    """

    source: str
    rows: dict[str, list[Expression]]
    chosen: frozenset[int]
    table: BoxTable | None
    elsewhere: int

    def image(self, record: store.Record) -> ImageTruth:
        """Return the objects of the image of a record.

        Raises:
            BadInputError: a mask of another size than was predicted, or one that cannot be read.
        """
        rows = self.rows.get(record.name, [])
        by_id: dict[Any, np.ndarray | None] = {}
        if self.table is not None and record.size != (0, 0):
            ids = self.table.of(record.index).ids.tolist()
            by_id = dict(zip(ids, self.table.truth(record.index), strict=True))
        masks = {
            row.number: by_id.get(row.annotation_id) if row.mask is None else self._drawn(row, record.size)
            for row in rows
            if not row.no_target
        }
        return ImageTruth(rows, masks, [one for one in by_id.values() if one is not None])

    def _drawn(self, row: Expression, size: tuple[int, int]) -> np.ndarray | None:
        if size == (0, 0):  # the image could not be read
            return None if row.size is None else shape_mask(row.mask, row.size)
        if row.size not in (None, size):
            raise BadInputError(
                f"{self.source} says that {row.image!r} is {row.size[1]} x {row.size[0]} pixels, but its "
                f"masks were predicted for {size[1]} x {size[0]}"
            )
        try:
            return shape_mask(row.mask, size)
        except BadInputError as error:
            raise BadInputError(f"the mask of object {row.number} in {self.source}: {error}") from None


def find_sentences(
    header: store.Header,
    source: object,
    *,
    expressions: Path | None = None,
    truth: Path | None = None,
    images: Path | None = None,
    split: str | None = None,
) -> tuple[SentenceTruth, Path]:
    """Read the sentences that the entries of a file are compared with.

    Args:
        header: of the file.
        source: its path.
        expressions: the file with the sentences, or its folder.
        truth: the same, or the data folder; without either the sentences are those of the data folder of the
            file.
        images: the folder of the images, if it is not that of the file.
        split: of the objects to score; by default the one that was predicted.

    Returns:
        The sentences, and the data folder.

    Raises:
        MissingInputError: no such file, or no sentences.
        UsageError: several files fit, or no such split.
        BadInputError: a malformed file, or one about other images.
    """
    named = expressions or truth
    root = data_folder(header, source, truth, images)
    if named is None and not root.is_dir():
        raise MissingInputError(
            f"the images are not in '{root}' any more; name the sentences with --expressions"
        )
    read = read_expressions(named or root)
    found = image_names(read, header.images)
    split = split or header.params.get("split")
    chosen = rows_of_split(read, root if root.is_dir() else None, split)
    rows: dict[str, list[Expression]] = {}
    for row in read.rows:
        if (name := found[row.image]) is not None:
            rows.setdefault(name, []).append(row)
    if not rows:
        raise BadInputError(
            f"{read.source} names none of the {len(header)} predicted images, but {read.rows[0].image!r}"
        )
    numbers = frozenset(row.number for row in chosen)
    elsewhere = sum(len(row.sentences) for row in chosen if found[row.image] is None)
    table = _annotated_objects(header, root)
    return SentenceTruth(read.source, rows, numbers, table, elsewhere), root


def _annotated_objects(header: store.Header, root: Path) -> BoxTable | None:
    """Return all annotated objects of the images; None where there are none, or none that fit."""
    if not root.is_dir():
        return None
    try:
        table = read_boxes(Dataset(root, header.images, ClassList(()), None, ""))
    except WsstoolError:  # the sentences may have masks of their own; those without are counted
        return None
    readable = header.sizes.all(1)
    return table if (table.sizes[readable] == header.sizes[readable]).all() else None
