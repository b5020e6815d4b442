"""Which images belong together, such as those of one patient: the unit of the bootstrap."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from wsstool.annotation_file import regular
from wsstool.data.listing import Lookup
from wsstool.errors import BadInputError, MissingInputError


def read_groups(group: str, root: Path | None, images: Sequence[str]) -> list[str]:
    """The group of every image, from a column of a CSV file whose first column names the image.

    Args:
        group: ``COLUMN`` of the folder's ``meta.csv``, or ``FILE:COLUMN``.
        root: the data folder; None: the current one.
        images: names of the images that need a group.

    Returns:
        A value an image.

    Raises:
        MissingInputError: the file cannot be read.
        BadInputError: it has no such column, or does not name an image.
    """
    file, _, column = group.rpartition(":")
    path = Path(file) if file else Path(root or ".") / "meta.csv"
    try:
        with open(regular(path), newline="", encoding="utf-8") as text:
            table = list(csv.DictReader(text))
    except (OSError, UnicodeDecodeError) as error:
        raise MissingInputError(f"--group {group}: cannot read '{path}'") from error
    except csv.Error as error:
        raise BadInputError(f"--group {group}: '{path}' is not a table ({error})") from error
    if not table or column not in table[0]:
        raise BadInputError(f"--group {group}: '{path}' has no column '{column}'")
    key = next(iter(table[0]))
    lookup = Lookup(images)
    found: dict[int, str] = {}
    for row in table:
        i = lookup.find(row[key], f"'{path}'") if row[key] else None
        if i is not None:
            found[i] = row[column]
    missing = [name for i, name in enumerate(images) if i not in found]
    if missing:
        raise BadInputError(f"--group {group}: '{path}' does not list '{missing[0]}'")
    return [found[i] for i in range(len(images))]
