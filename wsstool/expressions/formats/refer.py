"""The REFER layout: ``refs(SPLITS).p`` (a pickle) or ``.json`` beside ``instances.json``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from wsstool.annotation_file import as_json, read_bytes, read_json
from wsstool.errors import BadInputError
from wsstool.expressions import restricted_pickle
from wsstool.expressions.expression import Expression, Expressions, Id, collect, numbered
from wsstool.expressions.formats import coco
from wsstool.expressions.formats.fields import (
    FieldError,
    box_of,
    expression,
    found,
    id_of,
    mask_of,
    size_of,
    text_of,
)
from wsstool.expressions.formats.numbering import category_numbers, image_numbers
from wsstool.expressions.tokenizer import tokenize

INSTANCES = "instances.json"
WRITTEN = "refs(wsstool).json"
DATASETS = ("refcoco", "refcoco+", "refcocog", "refclef", "grefcoco")
"""Folder names of the layout, which are the names of the data sets."""


def read(path: Path) -> Expressions:
    """Read a ``refs`` file and the ``instances.json`` beside it.

    Image names are those of the list of images: ``file_name`` of an entry has the id of the annotation in it.

    Args:
        path: the ``refs`` file; ``.json`` is read as JSON, everything else as a pickle.

    Raises:
        MissingInputError: no such file, or no ``instances.json``.
        BadInputError: a pickle with more than plain values, an entry of another form, of an annotation or
            image that is not listed, two entries or two annotations of one id, or no sentence.

    Source:
        The REFER API (Kazemzadeh et al., EMNLP 2014); written from a description of its files.
    """
    source = f"REFER file {str(path)!r}"
    content = read_bytes(path, source)
    refs = as_json(content, source) if path.suffix == ".json" else restricted_pickle.loads(content, source)
    beside = path.parent / INSTANCES
    listed = f"REFER file {str(beside)!r}"
    lists = coco.instance_lists(read_json(beside, listed), listed)
    if not isinstance(refs, list) or not all(isinstance(ref, Mapping) for ref in refs):
        raise BadInputError(f"{source} is not a list of entries")
    folder = path.absolute().parent.name
    return collect(_expressions(refs, lists, folder if folder in DATASETS else None, source), source, "refer")


def write(rows: Sequence[Expression], target: Path) -> None:
    """Write ``instances.json`` and ``refs(wsstool).json`` into a new folder.

    Pickles are not written. Ids are kept where each is a whole number that occurs once; objects that share
    an annotation, as those of several data sets do, share it here. An entry without a target has the
    annotation -1.

    Source:
        The REFER API (Kazemzadeh et al., EMNLP 2014); written from a description of its files.
    """
    images, categories = image_numbers(rows), category_numbers(rows)
    numbers, annotations = _annotations(rows, images, categories)
    ids = numbered([row.id for row in rows], first=0)
    sentence_ids = _sentence_ids(rows)
    refs = []
    for ref_id, number, row in zip(ids, numbers, rows, strict=True):
        own = [next(sentence_ids) for _ in row.sentences]
        known = {"split": row.split, "dataset": row.dataset}
        refs.append(
            {
                "ref_id": ref_id,
                "ann_id": number,
                "image_id": images[row.image],
                "category_id": categories[row.category or "object"],
                "file_name": row.image,
                **{name: value for name, value in known.items() if value is not None},
                "no_target": row.no_target,
                "sent_ids": own,
                "sentences": [
                    {"sent_id": i, "sent": text, "raw": text, "tokens": tokenize(text)}
                    for i, text in zip(own, row.sentences, strict=True)
                ],
            }
        )
    target.mkdir()
    lists = coco.written_lists(rows, images, categories)
    coco.write_json({**lists, "annotations": annotations}, target / INSTANCES)
    coco.write_json(refs, target / WRITTEN)


def _expressions(
    refs: Sequence[Mapping[str, Any]], lists: coco.InstanceLists, dataset: str | None, source: str
) -> Iterator[Expression]:
    for place, ref in enumerate(refs):
        try:
            yield _expression(ref, lists, dataset)
        except FieldError as error:
            raise found(error, source, f"entry {ref.get('ref_id', place)!r}") from None


def _expression(ref: Mapping[str, Any], lists: coco.InstanceLists, dataset: str | None) -> Expression:
    name, image = lists.image(ref.get("image_id"))
    number = _annotation_id(ref)
    annotation: Mapping[str, Any] = {}
    if number is not None:
        if number not in lists.annotations:
            raise FieldError(f"the annotation {number!r} is not listed")
        annotation = lists.annotations[number]
        if annotation.get("image_id") != ref.get("image_id"):
            raise FieldError(f"the annotation {number!r} is of another image")
    return expression(
        ref,
        image=name,
        size=size_of(image),
        box=box_of(annotation),
        mask=mask_of(annotation),
        no_target=bool(ref.get("no_target", number is None)),
        annotation_id=number,
        category=lists.category(ref.get("category_id")),
        dataset=text_of(ref, "dataset") or dataset,
    )


def _annotation_id(ref: Mapping[str, Any]) -> Id | None:
    """Return the id of the annotation of an entry; None if it has no target."""
    value = ref.get("ann_id")
    if isinstance(value, list):
        if len(value) > 1:
            raise FieldError(f"it names {len(value)} annotations; a sentence names one object")
        value = value[0] if value else None
    number = id_of({"ann_id": value}, "ann_id")
    return None if number == -1 else number


def _annotations(
    rows: Sequence[Expression], images: Mapping[str, int], categories: Mapping[str, int]
) -> tuple[list[int], list[dict[str, Any]]]:
    """Return the annotation id of each object (-1: none), and the annotations."""
    kept: dict[int, Expression] = {}  # the first object of each known id
    for row in rows:
        if not row.no_target and isinstance(row.annotation_id, int):
            kept.setdefault(row.annotation_id, row)
    new = iter(range(max([0, *kept]) + 1, max([0, *kept]) + len(rows) + 1))
    numbers, annotations = [], {}
    for row in rows:
        number = -1
        if not row.no_target:
            known = row.annotation_id
            same = kept.get(known) if isinstance(known, int) else None
            agrees = same is not None and (same.image, same.box, same.mask) == (row.image, row.box, row.mask)
            number = known if agrees and isinstance(known, int) else next(new)
            annotations[number] = coco.written_annotation(row, number, images, categories)
        numbers.append(number)
    return numbers, list(annotations.values())


def _sentence_ids(rows: Sequence[Expression]) -> Iterator[int]:
    """Yield one id per sentence, in order."""
    known: list[Id | None] = []
    for row in rows:
        known += row.sentence_ids or (None,) * len(row.sentences)
    return iter(numbered(known, first=0))
