"""Sentences in COCO annotation files: a field ``sentences`` or ``caption`` of the annotations."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from wsstool.annotation_file import read_json
from wsstool.errors import BadInputError
from wsstool.expressions.expression import Box, Expression, Expressions, collect, numbered
from wsstool.expressions.formats.fields import (
    FieldError,
    expression,
    found,
    has_sentences,
    id_of,
    size_of,
    text_of,
    written_box,
)
from wsstool.expressions.formats.numbering import category_numbers, image_numbers


def read(path: Path) -> Expressions:
    """Read the annotations of a COCO file that have sentences.

    An annotation has ``sentences`` (a list; or ``sentence``, ``expression``, ``caption``) and may have
    ``split``, ``ref_id``, ``dataset`` and ``no_target``; ``split`` may also stand at its image. Annotations
    without sentences are passed over.

    Raises:
        MissingInputError: no such file.
        BadInputError: not JSON in this form, two annotations of one id, an annotation of an image or category
            that is not listed, or no sentence.

    Source:
        Lin et al., ECCV 2014, and the description of the format at cocodataset.org; written from it.
    """
    source = f"COCO file {str(path)!r}"
    lists = instance_lists(read_json(path, source), source)
    rows = []
    for number, annotation in lists.annotations.items():
        if not has_sentences(annotation):
            continue
        try:
            rows.append(_expression(annotation, lists))
        except FieldError as error:
            raise found(error, source, f"annotation {number!r}") from None
    return collect(rows, source, "coco")


def write(rows: Sequence[Expression], target: Path) -> None:
    """Write a COCO annotation file with one annotation per object.

    Annotations keep their ids if each is a whole number that occurs once; else they are numbered, and the
    known id is their ``ann_id``. ``area`` is that of the box.

    Source:
        Lin et al., ECCV 2014, and the description of the format at cocodataset.org; written from it.
    """
    images, categories = image_numbers(rows), category_numbers(rows)
    numbers = numbered([row.annotation_id for row in rows])
    annotations = []
    for number, row in zip(numbers, rows, strict=True):
        known = {"ref_id": row.id, "ann_id": row.annotation_id, "split": row.split, "dataset": row.dataset}
        annotations.append(
            {
                **written_annotation(row, number, images, categories),
                **{name: value for name, value in known.items() if value is not None},
                "no_target": row.no_target,
                "sentences": list(row.sentences),
            }
        )
    write_json({**written_lists(rows, images, categories), "annotations": annotations}, target)


def written_lists(
    rows: Iterable[Expression], images: Mapping[str, int], categories: Mapping[str, int]
) -> dict[str, Any]:
    """Return COCO's lists of images and categories."""
    sizes = {row.image: row.size for row in rows if row.size is not None}
    listed = []
    for name, number in images.items():
        rows_and_columns = dict(zip(("height", "width"), sizes.get(name, ()), strict=False))
        listed.append({"id": number, "file_name": name, **rows_and_columns})
    named = [{"id": number, "name": name} for name, number in categories.items()]
    return {"info": {"description": "wsstool export"}, "images": listed, "categories": named}


def written_annotation(
    row: Expression, number: int, images: Mapping[str, int], categories: Mapping[str, int]
) -> dict[str, Any]:
    """Return COCO's fields of an object."""
    return {
        "id": number,
        "image_id": images[row.image],
        "category_id": categories[row.category or "object"],
        **({} if row.box is None else {"bbox": written_box(row.box), "area": _area(row.box)}),
        "segmentation": row.mask if row.mask is not None else [],
        "iscrowd": 0,
    }


def write_json(value: Any, target: Path) -> None:
    """Write one JSON value as UTF-8."""
    target.write_text(json.dumps(value, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


class InstanceLists:
    """The images, annotations and categories of a COCO file by their ids."""

    def __init__(self, data: Mapping[str, Any], source: str) -> None:
        self.images = _by_id(data.get("images"), "images", source)
        self.annotations = _by_id(data.get("annotations"), "annotations", source)
        categories = _by_id(data.get("categories") or [], "categories", source)
        self.categories = {number: text_of(one, "name") for number, one in categories.items()}

    def image(self, number: Any) -> tuple[str, Mapping[str, Any]]:
        """Return the name and the fields of an image."""
        fields = self.images.get(number) if isinstance(number, int | str) else None
        name = text_of(fields, "file_name") if fields is not None else None
        if fields is None or name is None:
            raise FieldError(f"the image {number!r} is not listed with a name")
        return name, fields

    def category(self, number: Any) -> str | None:
        """Return the name of a category; None without a number."""
        if number is None or not self.categories:
            return None
        if not isinstance(number, int | str) or number not in self.categories:
            raise FieldError(f"the category {number!r} is not listed")
        return self.categories[number]


def instance_lists(data: Any, source: str) -> InstanceLists:
    """Check that a JSON value has COCO's lists.

    Raises:
        BadInputError: another form, or two entries of one id.
    """
    if not isinstance(data, Mapping):
        raise BadInputError(f"{source} has no COCO lists of images and annotations")
    return InstanceLists(data, source)


def _by_id(values: Any, what: str, source: str) -> dict[Any, Mapping[str, Any]]:
    if not isinstance(values, list) or not all(isinstance(one, Mapping) for one in values):
        raise BadInputError(f"{source} has no COCO list of {what}")
    found: dict[Any, Mapping[str, Any]] = {}
    for number, one in enumerate(values):
        key = id_of(one, "id")
        if key is None:
            raise BadInputError(f"{source}: entry {number} of its {what} has no id")
        if key in found:
            raise BadInputError(f"{source} has two {what} with the id {key!r}")
        found[key] = one
    return found


def _expression(annotation: Mapping[str, Any], lists: InstanceLists) -> Expression:
    name, image = lists.image(annotation.get("image_id"))
    return expression(
        annotation,
        image=name,
        size=size_of(image),
        annotation_id=id_of(annotation, "ann_id", "id"),
        category=lists.category(annotation.get("category_id")),
        split=text_of(annotation, "split") or text_of(image, "split"),
    )


def _area(box: Box) -> float:
    x0, y0, x1, y1 = box
    return round((x1 - x0) * (y1 - y0), 2)
