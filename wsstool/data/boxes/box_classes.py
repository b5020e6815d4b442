"""The class list of a table of boxes: that of the data folder, whose numbers never change."""

from __future__ import annotations

from wsstool.data.class_match import class_ids, extended, listed
from wsstool.data.classlist import BACKGROUND_NAMES
from wsstool.data.formats import WrittenBoxes
from wsstool.errors import BadInputError
from wsstool.types import SILENT, ClassList, Messages


def box_classes(
    written: WrittenBoxes, known: ClassList, messages: Messages = SILENT
) -> tuple[ClassList, dict[str, int]]:
    """Return the class list of the boxes of a source, and the class id of each name.

    The list of the data folder holds wherever it has any of the names. Classes that only the source has
    follow at its end; unless the list has classes too that the source lacks, since one may be another
    spelling of the other.

    Args:
        written: the boxes.
        known: the class list of the data folder; empty: there is none.
        messages: receives a warning about classes that the list lacks.

    Raises:
        BadInputError: both lists have classes that the other lacks; or a box has a class that its own source
            does not list.
    """
    used = list(dict.fromkeys(row.name for row in written.rows))
    ids = _ids(known, used)
    lacking = [name for name in used if name not in ids]
    for name in used:
        if name.lower() in BACKGROUND_NAMES:
            count = sum(row.name == name for row in written.rows)
            messages.warn(f"{count} objects of {written.source} have the class '{name}', the background")
    if known.names and not lacking:
        return known, ids
    lists = f"{_listed(known)}; {written.source} has {_listed(written.classes)}"
    own = [written.classes.names[i] for i in written.classes.foreground]
    if known.names and len(lacking) < len(used):
        in_source = set(_ids(known, own).values())
        if not set(known.foreground) <= in_source:
            raise BadInputError(
                f"{written.source} has boxes of class '{lacking[0]}', which the class list lacks: {lists}; "
                "name another with --class-list"
            )
        messages.warn(f"the class list lacks '{', '.join(lacking)}', added at its end: {lists}")
        classes = extended(known, lacking)
        return classes, _ids(classes, used)
    if known.names:
        messages.warn(f"the class list of the data folder has none of the classes of the boxes: {lists}")
    ids = _ids(written.classes, used)
    if len(ids) < len(used):
        raise BadInputError(f"{written.source} contains a box of a class that it does not list")
    return written.classes, ids


def _ids(classes: ClassList, names: list[str]) -> dict[str, int]:
    """Name -> class id, of those names that a list has."""
    return {name: i for name, i in zip(names, class_ids(classes, names), strict=True) if i >= 0}


def _listed(classes: ClassList) -> str:
    return listed(ClassList(tuple(classes.names[i] for i in classes.foreground)))
