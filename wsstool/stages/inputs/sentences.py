"""Open the sentences of a data folder or a file, and match them with the images."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from wsstool.data.geometry.shapes import shape_mask
from wsstool.data.images import image_size, turning
from wsstool.data.listing import Lookup, find_images, is_image_name
from wsstool.data.name_list import NameList
from wsstool.data.splits import split_indices, split_names
from wsstool.errors import BadInputError, WsstoolError
from wsstool.expressions.expression import Expression, Expressions
from wsstool.expressions.recognise import read_expressions
from wsstool.expressions.splits import in_split, of_split
from wsstool.expressions.tokenizer import MAX_WORDS, tokenize
from wsstool.types import Messages

_COCO_2014 = re.compile(r"COCO_[a-z]+2014_(\d{12}\..+)")
"""COCO renamed its images in 2017: the same photograph is only its number there."""


def open_sentences(
    data: Path | None,
    source: Path | None = None,
    *,
    name_list: NameList | None = None,
    messages: Messages,
) -> Expressions:
    """Read the sentences of a file, and match them with the images of a folder.

    Args:
        data: the data folder; None: the sentences stay as they are written.
        source: the file; None: the only one in the data folder.
        name_list: the images of the folder to use; None: all.
        messages: receives one warning per kind of entry that is left out or changed.

    Returns:
        The objects, with names of images as in the folder, true sizes of images, and boxes inside them.

    Raises:
        MissingInputError: no such file or folder, or no sentences in it.
        UsageError: several files fit.
        BadInputError: a malformed file, none of its images in the folder, or an image of another size than
            stated.
    """
    path = Path(data if source is None else source)  # type: ignore[arg-type]
    if is_image_name(path.name):
        raise BadInputError(f"'{path}' is an image, not a folder or a file with sentences")
    expressions = read_expressions(path)
    report(expressions, messages)
    if data is None:
        return expressions
    rows = _named(expressions, Path(data), name_list, messages)
    return replace(expressions, rows=_inside(rows, Path(data), expressions.source, messages))


def rows_of_split(
    expressions: Expressions, data: Path | None, split: str | None, name_list: NameList | None = None
) -> tuple[Expression, ...]:
    """Return the objects of a split: by their own split, or if that is not stated, by that of their images.

    Args:
        expressions: all objects.
        data: the data folder, if there is one.
        split: a name, or a file of image names; None: all.
        name_list: the images of the folder to use; None: all.

    Raises:
        UsageError: neither the sentences nor the images have such a split.
        MissingInputError, BadInputError: see ``split_indices``.
    """
    has_own = any(in_split(row.split, split) for row in expressions.rows) if split else True
    if split is None or data is None or has_own or not is_split_of_images(data, split, name_list):
        return of_split(expressions.rows, split, expressions.source)
    names = _images(data, name_list)
    lookup = Lookup(names, None if name_list is None else data)
    indices = split_indices(data, names, lookup, split, partial=name_list is not None)
    chosen = {names[i] for i in indices}
    found = image_names(expressions, names)
    among = [row for row in expressions.rows if found[row.image] in chosen]
    return tuple(row for row in among if row.split is None or _is_file(split))


def is_split_of_images(data: Path, split: str, name_list: NameList | None = None) -> bool:
    """Whether a split is a list of image names, or one that the data folder defines."""
    return _is_file(split) or split in split_names(data, _images(data, name_list))


def _images(data: Path, name_list: NameList | None) -> tuple[str, ...]:
    return find_images(data) if name_list is None else name_list.names


def _is_file(split: str) -> bool:
    return Path(split).suffix in (".txt", ".lst", ".csv")


def report(expressions: Expressions, messages: Messages) -> None:
    """Report sentences without words, objects given twice, and long sentences."""
    if expressions.empty:
        messages.warn(
            f"{len(expressions.empty)} objects of {expressions.source} have empty sentences, such as one of "
            f"{expressions.empty[0]!r}; these sentences are left out"
        )
    rows = expressions.rows
    distinct = {(row.image, row.id, row.annotation_id, row.box, row.sentences) for row in rows}
    if repeated := len(rows) - len(distinct):
        messages.warn(
            f"{repeated} objects of {expressions.source} repeat another with all its sentences; each counts"
        )
    long = sum(len(tokenize(text)) > MAX_WORDS for text in expressions.sentences())
    if long:
        messages.say(
            f"{long} sentences of {expressions.source} have more than {MAX_WORDS} words; networks read the "
            f"first {MAX_WORDS}"
        )


def _named(
    expressions: Expressions, root: Path, name_list: NameList | None, messages: Messages
) -> list[Expression]:
    """Return the objects whose image is in the folder, or in the list, with its name there."""
    names = _images(root, name_list)
    if name_list is not None:
        name_list.check_there(root, names)
    found = image_names(expressions, names)
    rows = [replace(row, image=name) for row in expressions.rows if (name := found[row.image]) is not None]
    absent = [spelled for spelled, name in found.items() if name is None]
    if not rows:
        where = f"in {str(root)!r}" if name_list is None else f"of {name_list.source}"
        raise BadInputError(
            f"{expressions.source} names none of the {len(names)} images {where}, but {absent[0]!r}"
        )
    if absent and name_list is None:
        lost = sum(len(row.sentences) for row in expressions.rows if found[row.image] is None)
        messages.warn(
            f"{expressions.source} names {len(absent)} images that are not there, such as {absent[0]!r}, "
            f"with {lost} sentences"
        )
    return rows


def true_mask(row: Expression, source: str) -> np.ndarray | None:
    """Return the ground-truth mask of an object, (H,W) bool; None if there is none.

    Args:
        row: the object, with the size of its image.
        source: the file, for messages.

    Raises:
        BadInputError: an unreadable shape, or one of another size than the image.
    """
    if row.mask is None or row.size is None:
        return None
    try:
        return shape_mask(row.mask, row.size)
    except BadInputError as error:
        raise BadInputError(f"the mask of an object of {row.image!r} in {source}: {error}") from None


def image_names(expressions: Expressions, names: Sequence[str]) -> dict[str, str | None]:
    """Return image name in the file -> name among ``names``; None where there is none.

    Raises:
        BadInputError: a name that fits several images.
    """
    lookup = Lookup(names)
    spelled = dict.fromkeys(row.image for row in expressions.rows)
    found = {name: _find(name, lookup, expressions.source) for name in spelled}
    return {name: None if i is None else names[i] for name, i in found.items()}


def _find(name: str, lookup: Lookup, source: str) -> int | None:
    i = lookup.find(name, source)
    renamed = _COCO_2014.fullmatch(PurePosixPath(name).name)
    return lookup.find(renamed[1], source) if i is None and renamed else i


def _inside(
    rows: Sequence[Expression], root: Path, source: str, messages: Messages
) -> tuple[Expression, ...]:
    """Return the objects with their boxes cut at the border of the image."""
    sizes = {name: _size(root / name) for name in dict.fromkeys(row.image for row in rows)}
    kept, outside, cut = [], [], 0
    for row in rows:
        size = sizes[row.image]
        if size is None:  # the stage that decodes the image reports it
            kept.append(row)
            continue
        if row.size is not None and row.size != size:
            turned = turning(root / row.image, row.size, size)
            raise BadInputError(
                f"{source} says that {row.image!r} is {row.size[1]} x {row.size[0]} pixels, but it is "
                f"{size[1]} x {size[0]}{turned}: its boxes are made for another size"
            )
        one = row.inside(size)
        if one is None:
            outside.append(row)
        else:
            cut += one.box != row.box
            kept.append(one)
    if outside:
        messages.warn(
            f"{len(outside)} objects of {source} have a box outside their image or without area, such as one "
            f"of {outside[0].image!r}; they are left out"
        )
    if not kept:
        raise BadInputError(f"{source} has no object inside its images")
    if cut:
        messages.say(f"{cut} boxes of {source} were clipped to their image")
    return tuple(kept)


def _size(path: Path) -> tuple[int, int] | None:
    try:
        rows, columns = image_size(path)
    except WsstoolError:
        return None
    return rows, columns
