"""Splits of a dataset: train, val and test, by a list of names or by folder."""

from __future__ import annotations

import os
import re
from pathlib import Path

from wsstool.annotation_file import regular
from wsstool.data.label_views import locate
from wsstool.data.listing import IMAGE_FOLDERS, Lookup
from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.types import SILENT, Messages


def split_indices(
    root: Path,
    names: tuple[str, ...],
    lookup: Lookup,
    split: str | None,
    *,
    listed: bool = False,
    partial: bool = False,
    messages: Messages = SILENT,
) -> list[int]:
    """Return the indices of the images of a split, ascending; all images without a split.

    Args:
        split: a file of image names (one per line; further words on the line are ignored, as in VOC's lists
            of image and mask), by an absolute path or with the suffix of a list, or a name.
        listed: the label file is itself the list of the split, so none needs to be found.
        partial: ``names`` are only some images of the folder, so that the list of a split may have others.
        messages: receives a warning about paths of another machine, see ``Lookup.find_all``.

    Raises:
        UsageError: no split of that name, or several lists that differ.
        MissingInputError: the list names an image that does not exist.
        BadInputError: the list cannot be read, is empty, or names an image outside the folder.
    """
    if split is None:
        return list(range(len(names)))
    if Path(split).suffix in (".txt", ".lst", ".csv") or os.path.isabs(split):
        path = locate(root, split)
        if path is None:
            raise MissingInputError(
                f"there is no split file {split!r} in {str(root)!r} or the current folder"
            )
        return _read(path, lookup, messages, partial)
    lists = [p for p in split_files(root) if p.stem == split]
    if lists:
        found = [_read(path, lookup, messages, partial) for path in lists]
        if any(f != found[0] for f in found[1:]):
            spelled = ", ".join(p.relative_to(root).as_posix() for p in lists)
            raise UsageError(f"several files match the split '{split}': {spelled}; name one of them")
        return found[0]
    inside = [i for i, name in enumerate(names) if split in name.split("/")[:-1]]
    if inside:
        return inside
    if listed:
        return list(range(len(names)))
    folders = {folder for name in names for folder in name.split("/")[:-1]} - {*IMAGE_FOLDERS}
    known = sorted({p.stem for p in split_files(root)} | folders)
    raise UsageError(f"no split '{split}' in {str(root)!r}; there are: {', '.join(known) or 'none'}")


def names_split(source: str, split: str | None) -> bool:
    """Whether the name of a label file contains that of a split as a word, so that it is the split's own.

    Example:
        >>> names_split("COCO file 'a/instances_val2017.json'", "val")
        True
        >>> names_split("COCO file 'val/boxes.json'", "val")
        False
    """
    name = source.replace("\\", "/").rpartition("/")[2].lower()
    return (
        split is not None and re.search(rf"(?<![a-z]){re.escape(split.lower())}(?![a-z])", name) is not None
    )


_FOLDERS = ("train", "training", "val", "valid", "validation", "test")


def split_names(root: Path, names: tuple[str, ...]) -> list[str]:
    """Return the splits that a data folder defines by lists, and by folders with a usual name.

    Example:
        >>> split_names(Path(), ("train/a.png", "test/img/b.png", "cat/c.png"))
        ['test', 'train']
    """
    folders = {part for name in names for part in name.split("/")[:-1]}
    return sorted({p.stem for p in split_files(root)} | folders.intersection(_FOLDERS))


def split_files(root: Path) -> list[Path]:
    """Return the split lists in a data folder."""
    return sorted(
        [*root.glob("splits/*.txt"), *root.glob("ImageSets/*/*.txt"), *root.glob("ImageSets/*.txt")]
    )


def _read(path: Path, lookup: Lookup, messages: Messages, partial: bool) -> list[int]:
    source = f"split file {str(path)!r}"
    try:
        lines = [line.strip() for line in regular(path).read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{source} cannot be read: {error}") from None
    indices, others = set(), []
    for line in filter(None, lines):
        # VOC's lists begin paths with a slash, and mark images that lack a class with -1.
        words = line.split()
        if len(words) == 2 and words[1] == "-1":
            continue
        spellings = [line.lstrip("/"), *([words[0].lstrip("/")] if len(words) > 1 else [])]
        found = lookup.find_inside(spellings, source)
        i = next((found[spelling] for spelling in spellings if spelling in found), None)
        if i is None:
            others.append(line)
        else:
            indices.add(i)
    far = lookup.find_all(others, source, taken=indices, messages=messages)
    missing = [line for line in others if line not in far]
    if missing and not partial:
        raise MissingInputError(f"{source} lists {missing[0]!r}, but there is no such image")
    indices.update(far.values())
    if not indices:
        which = "none of the images that are used" if partial and others else "no images"
        raise BadInputError(f"{source} lists {which}")
    return sorted(indices)
