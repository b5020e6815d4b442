"""The masks of sentences: annotation files with sentences, PNG masks, or overlays on the images."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from wsstool import store
from wsstool.data.geometry import rle
from wsstool.data.geometry.instances import extent
from wsstool.data.listing import without_suffix
from wsstool.data.masks import write_mask
from wsstool.errors import UsageError, WsstoolError
from wsstool.expressions.expression import Expression
from wsstool.registry import EXPRESSION_EXPORTS
from wsstool.report.overlays import blend, titled
from wsstool.stages.exchange.file_names import names_for_others
from wsstool.stages.inputs.image_batches import read_sized_image
from wsstool.types import ClassList, Messages, tracked

PICTURES = ("png", "overlay")
LIST_FILE = "sentences.jsonl"
_MASK = ClassList(("background", "object"), 0, ((0, 0, 0), (213, 94, 0)))
_HEIGHT = 320  #: smallest height of an overlay, so that its caption can be read


class Entry(NamedTuple):
    """A sentence of an image and its mask; ``k`` is its place in the image, ``row`` in the file."""

    k: int
    row: int
    sentence: str
    number: int
    mask: np.ndarray


def sentence_entries(record: store.Record) -> Iterator[Entry]:
    """Yield the sentences of an image, each with its (H, W) uint8 mask; none where the image failed."""
    if record.failed:
        return
    header = record.header
    rows = header.rows(record.index, "box")
    numbers, sentences = header.columns["box_id"][rows].tolist(), (header.sentences or ())[rows]
    for k, (number, text, mask) in enumerate(zip(numbers, sentences, record.placed, strict=True)):
        yield Entry(k, rows.start + k, text, number, mask)


def write_expressions(
    reader: store.Reader, target: Path, *, format: str, flat: bool, messages: Messages
) -> int:
    """Write the sentences with their masks in a format of ``registry.EXPRESSION_EXPORTS``; return how many.

    A sentence with an empty mask is written as one without a target. Boxes are those of the masks.
    """
    header = reader.header
    names = names_for_others(header.images, flat)
    rows = []
    for record in tracked(reader.records(), messages, len(header), "images"):
        for entry in sentence_entries(record):
            rows.append(_expression(entry, names[record.index], record))
    EXPRESSION_EXPORTS.load(format)(rows, target)
    return len(rows)


def _expression(entry: Entry, image: str, record: store.Record) -> Expression:
    mask, header = entry.mask == 1, record.header
    box = extent(mask)
    return Expression(
        image,
        (entry.sentence,),
        box,
        rle.encode(mask) if box else None,
        no_target=box is None,
        annotation_id=entry.number,
        category=header.classes.names[int(header.columns["box_class"][entry.row])],
        size=record.size,
    )


def write_pictures(
    reader: store.Reader, target: Path, *, format: str, folder: Path | None, flat: bool, messages: Messages
) -> int:
    """Write one picture per sentence below a folder, and a list of them; return how many.

    Args:
        reader: a file with sentences.
        target: new folder. ``a/b.jpg`` becomes ``a/b-00.png``, ``a/b-01.png`` ...; ``sentences.jsonl`` says
            which sentence is which.
        format: ``png``: the mask, 1 object, 0 not, 255 uncertain; ``overlay``: the image under the mask, with
            the sentence above it.
        folder: of the images, for overlays.
        flat: leave out the folders of the images.
        messages: receives the progress.

    Raises:
        WsstoolError: an image of another size than when the file was made, or one that cannot be read.
    """
    header = reader.header
    names = [without_suffix(name) for name in names_for_others(header.images, flat)]
    target.mkdir()
    lines = []
    for record in tracked(reader.records(), messages, len(header), "images"):
        image = None
        for entry in sentence_entries(record):
            if format == "overlay" and image is None:
                assert folder is not None
                image = _pixels(folder / record.name, record.size)
            name = f"{names[record.index]}-{entry.k:02d}.png"
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if image is None:
                write_mask(path, entry.mask, _MASK)
            else:
                Image.fromarray(_overlay(image, entry)).save(path)
            lines.append({"file": name, "image": record.name, **_described(entry)})
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (target / LIST_FILE).write_text(text, encoding="utf-8", newline="\n")
    return len(lines)


def _described(entry: Entry) -> dict[str, Any]:
    return {"sentence": entry.sentence, "object": entry.number, "pixels": int((entry.mask == 1).sum())}


def _pixels(path: Path, size: Sequence[int]) -> np.ndarray:
    image = read_sized_image(path, np.array(size))
    if isinstance(image, WsstoolError):
        raise image
    return image


def _overlay(image: np.ndarray, entry: Entry) -> np.ndarray:
    palette = np.array([*_MASK.palette, *[(0, 0, 0)] * 254], np.uint8)
    factor = max(1, -(-_HEIGHT // image.shape[0]))
    large, mask = (one.repeat(factor, 0).repeat(factor, 1) for one in (image, entry.mask))
    return titled(blend(large, mask, palette, background=0), entry.sentence)


def check_format(format: str) -> None:
    """Raise UsageError unless a format can hold the masks of sentences."""
    known = ("coco", "coco-results", "csv", *EXPRESSION_EXPORTS.names(), *PICTURES)
    if format not in known:
        raise UsageError(
            f"--format {format} cannot hold sentences; choose from {', '.join(dict.fromkeys(known))}"
        )
