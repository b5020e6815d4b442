"""Tags in the file names of tissue patches: ``...[1 0 0 1].png`` and ``...+0[1101].png``.

The first form is that of LUAD-HistoSeg, the second that of BCSS-WSSS; with four digits the class names and
colours are theirs, unless a class list is given. In their ground-truth masks 4 means white, or excluded.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from wsstool.data.formats import Tags
from wsstool.data.known_classes import BCSS_CLASSES, LUAD_CLASSES
from wsstool.data.listing import without_suffix
from wsstool.errors import BadInputError
from wsstool.types import ClassList

TISSUES, WHITE = 4, 4
"""Number of tagged tissues in both datasets, and the id after them."""

_TAGGED = re.compile(r"\[([01](?:[\s,]*[01])*)\]$")
_ODD = re.compile(r"\[[^\[\]]*\]$|\[[01\s,]*$|(?<!\w)[01](?:[\s,]*[01])*\]$")
"""Malformed tags: something else in brackets, or tags with a missing bracket."""


def recognises(names: Iterable[str]) -> bool:
    """Whether any of the names has tags."""
    return any(_TAGGED.search(without_suffix(name)) for name in names)


def read(names: Iterable[str], classes: ClassList | None = None) -> Tags:
    """Read the tags in file names. Images of other splits may have none.

    Raises:
        BadInputError: names with different numbers of digits, or with another number than the class list has
            foreground classes; anything but digits 0 and 1 in brackets, or a missing bracket; both forms with
            four tags, whose classes have different orders, and no class list.
    """
    digits: dict[str, str] = {}
    spelled: dict[bool, str] = {}  # with spaces or without -> the first such name
    for name in names:
        stem = without_suffix(name)
        if match := _TAGGED.search(stem):
            digits[name] = re.sub(r"[\s,]", "", match[1])
            if len(digits[name]) > 1:
                spelled.setdefault(digits[name] != match[1], name)
        elif odd := _ODD.search(stem):
            raise BadInputError(
                f"the file name {name!r} ends in {odd[0]!r}, which is not a tag: tags are digits 0 and 1"
                + ("" if odd[0][0] == "[" and odd[0][-1] == "]" else " in brackets")
            )
    named, notes = (classes, []) if classes is not None else _implied(digits, spelled)
    if classes is not None and len(spelled) == 2:
        notes = [f"{_both(spelled)}; both are read in the order of the class list"]
    count = len(named.foreground)
    for name, text in digits.items():
        if len(text) != count:
            raise BadInputError(
                f"the file name {name!r} has tags for {len(text)} classes, "
                f"but there are {count}: {', '.join(named.names[i] for i in named.foreground)}"
            )
    rows = {
        name: tuple(named.names[i] for i, one in zip(named.foreground, text, strict=True) if one == "1")
        for name, text in digits.items()
    }
    void = (WHITE,) if count == TISSUES and named.background in (-1, WHITE) else ()
    return Tags("the file names", rows, named, partial=True, void=void, notes=tuple(notes))


def _implied(digits: Mapping[str, str], spelled: Mapping[bool, str]) -> tuple[ClassList, list[str]]:
    """Return the classes implied by most names, and a sentence with the reason."""
    count = Counter(len(text) for text in digits.values()).most_common(1)[0][0]
    if count != TISSUES:
        classes = ClassList(tuple(f"class-{i}" for i in range(count)))
        return classes, [f"the file names have tags for {count} classes; name the classes with --class-list"]
    if len(spelled) == 2:
        raise BadInputError(
            f"{_both(spelled)}, as in LUAD-HistoSeg and BCSS-WSSS, which have different classes; name the "
            "classes with --class-list"
        )
    is_spaced = True in spelled
    classes, source = (LUAD_CLASSES, "LUAD-HistoSeg") if is_spaced else (BCSS_CLASSES, "BCSS-WSSS")
    names = ", ".join(classes.names[i] for i in classes.foreground)
    example = "[1 0 0 1]" if is_spaced else "[1001]"
    return classes, [
        f"the tags are written like {example}, so the classes of {source} are used: {names}; name other "
        "classes with --class-list"
    ]


def _both(spelled: Mapping[bool, str]) -> str:
    return f"the file names contain tags in two forms, such as {spelled[True]!r} and {spelled[False]!r}"
