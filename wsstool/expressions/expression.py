"""One object of an image and the sentences that name it, and lists of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from wsstool.errors import BadInputError
from wsstool.expressions.tokenizer import tokenize

Box = tuple[float, float, float, float]
Id = int | str


@dataclass(frozen=True)
class Expression:
    """An object and its sentences.

    Args:
        image: name of its image.
        sentences: one or more texts that name the object, in this image only.
        box: x0, y0, x1, y1 in pixels of the image, or None.
        mask: run lengths, a list of them, a list of polygons (COCO's ``segmentation``), or None.
        no_target: the sentences name nothing in the image, on purpose.
        id: of the object among the objects with sentences (REFER's ``ref_id``).
        annotation_id: of the object in the annotation file of the images.
        image_id: of the image in that file.
        sentence_ids: one per sentence, or empty.
        category: name of its class.
        split: ``train``, ``val``, ``testA``, ...
        dataset: name of the data set, where a file holds several.
        size: rows and columns of the image as stated by the source.
        number: of the object, unique in its source: the id, the annotation id, or its place from 1; the
            first of them that is a whole number for all objects, and different for each.
    """

    image: str
    sentences: tuple[str, ...]
    box: Box | None = None
    mask: Any = None
    no_target: bool = False
    id: Id | None = None
    annotation_id: Id | None = None
    image_id: Id | None = None
    sentence_ids: tuple[Id, ...] = ()
    category: str | None = None
    split: str | None = None
    dataset: str | None = None
    size: tuple[int, int] | None = None
    number: int = field(default=0, compare=False)

    def inside(self, size: tuple[int, int]) -> Expression | None:
        """Return the object with its box cut at the border of the image; None if nothing of it is inside.

        Args:
            size: rows and columns of the image.
        """
        if self.box is None:
            return replace(self, size=size)
        x0, y0, x1, y1 = self.box
        rows, columns = size
        box = max(x0, 0.0), max(y0, 0.0), min(x1, float(columns)), min(y1, float(rows))
        return replace(self, box=box, size=size) if box[0] < box[2] and box[1] < box[3] else None


@dataclass(frozen=True)
class Expressions:
    """The objects of one source.

    Args:
        source: the file, for messages.
        format: its name in ``registry.EXPRESSIONS``.
        rows: the objects, each with one sentence or more.
        empty: the image of each object that lost a sentence without words.
    """

    source: str
    format: str
    rows: tuple[Expression, ...]
    empty: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def sentences(self) -> Iterator[str]:
        """Yield every sentence of every object."""
        for row in self.rows:
            yield from row.sentences


def collect(rows: Iterable[Expression], source: str, format: str) -> Expressions:
    """Make a list of the objects that a reader found.

    Rows with one id that agree in image, box and mask are one object, since many files have one line per
    sentence. Sentences without words are left out, and objects without a sentence.

    Raises:
        BadInputError: two objects of one id, or no sentence at all.
    """
    found: dict[Any, Expression] = {}
    empty: list[str] = []
    for number, row in enumerate(rows):
        texts = [k for k, text in enumerate(row.sentences) if tokenize(text)]
        kept = _chosen(row, texts)
        if len(texts) < len(row.sentences):
            empty.append(row.image)
        if not texts:
            continue
        key = number if row.id is None else (row.dataset, row.id)
        found[key] = _joined(found[key], kept, source) if key in found else kept
    if not found:
        raise BadInputError(f"{source} holds no sentence")
    rows = list(found.values())
    _check_annotations(rows, source)
    return Expressions(source, format, _numbered(rows), tuple(empty))


def _check_annotations(rows: Sequence[Expression], source: str) -> None:
    """Raise BadInputError for one annotation id in two images, or of two boxes that do not meet."""
    first: dict[Any, Expression] = {}
    for row in rows:
        if row.annotation_id is None:
            continue
        one = first.setdefault((row.dataset, row.annotation_id), row)
        if one.image != row.image or not _meet(one.box, row.box):
            raise _two_objects(one, row, f"annotation id {row.annotation_id!r}", source)


def _two_objects(one: Expression, other: Expression, what: str, source: str) -> BadInputError:
    where = f"in {one.image!r}" + ("" if one.image == other.image else f" and in {other.image!r}")
    return BadInputError(f"{source} has two objects with the {what}, {where}")


def _meet(one: Box | None, other: Box | None) -> bool:
    if one is None or other is None:
        return True
    return all(max(one[k], other[k]) < min(one[k + 2], other[k + 2]) for k in (0, 1)) or one == other


def numbered(known: Sequence[Id | None], first: int = 1) -> list[int]:
    """Return ids that are whole numbers, each once.

    Example:
        >>> numbered([7, 9]), numbered([7, 7]), numbered(["a", None], first=0)
        ([7, 9], [1, 2], [0, 1])
    """
    return _whole(known) or list(range(first, first + len(known)))


def _numbered(rows: Sequence[Expression]) -> tuple[Expression, ...]:
    numbers = _whole([row.id for row in rows]) or numbered([row.annotation_id for row in rows])
    return tuple(replace(row, number=number) for row, number in zip(rows, numbers, strict=True))


def _whole(known: Sequence[Id | None]) -> list[int] | None:
    """Return the ids if all are whole numbers that differ and fit a column of a file."""
    whole = [one for one in known if isinstance(one, int) and 0 <= one < 1 << 63]
    return whole if len(set(whole)) == len(known) else None


def _chosen(row: Expression, texts: list[int]) -> Expression:
    ids = tuple(row.sentence_ids[k] for k in texts) if row.sentence_ids else ()
    return replace(row, sentences=tuple(row.sentences[k] for k in texts), sentence_ids=ids)


def _joined(one: Expression, other: Expression, source: str) -> Expression:
    if (one.image, one.box, one.mask) != (other.image, other.box, other.mask):
        raise _two_objects(one, other, f"id {one.id!r}", source)
    has_ids = bool(one.sentence_ids) and bool(other.sentence_ids)
    return replace(
        one,
        sentences=one.sentences + other.sentences,
        sentence_ids=one.sentence_ids + other.sentence_ids if has_ids else (),
    )
