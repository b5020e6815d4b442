"""Tags in the file names of tissue patches: ``...[1 0 0 1].png`` and ``...+0[1101].png``.

The first spelling is that of LUAD-HistoSeg, the second that of BCSS-WSSS; with four digits the class names
and colours are theirs, unless a class list is given. In their true masks 4 means white, or excluded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from wsstool.data.formats import Tags
from wsstool.data.known_classes import BCSS_CLASSES, LUAD_CLASSES
from wsstool.data.listing import without_suffix
from wsstool.errors import BadInputError
from wsstool.types import ClassList

TISSUES, WHITE = 4, 4
"""How many tissues both sets tag, and the id behind them."""

_TAGGED = re.compile(r"\[([01](?:[\s,]*[01])*)\]$")
_BRACKETED = re.compile(r"\[[^\[\]]*\]$")


def recognises(names: Iterable[str]) -> bool:
    """Whether any of the names carries tags."""
    return any(_TAGGED.search(without_suffix(name)) for name in names)


def read(names: Iterable[str], classes: ClassList | None = None) -> Tags:
    """The tags in file names. Pictures of other splits may carry none.

    Raises:
        BadInputError: names with different numbers of digits, or with another number than the class list, or
            with something else than digits 0 and 1 in their brackets.
    """
    digits: dict[str, str] = {}
    is_spaced = False
    for name in names:
        match = _TAGGED.search(without_suffix(name))
        if match:
            digits[name] = re.sub(r"[\s,]", "", match[1])
            is_spaced |= digits[name] != match[1]
        elif odd := _BRACKETED.search(without_suffix(name)):
            raise BadInputError(
                f"the file name {name!r} ends in {odd[0]!r}, which are not tags: digits 0 and 1"
            )
    first = next(iter(digits))
    if classes is None:
        n = len(digits[first])
        named = LUAD_CLASSES if is_spaced else BCSS_CLASSES
        classes = named if n == TISSUES else ClassList(tuple(f"class-{i}" for i in range(n)))
    for name, text in digits.items():
        if len(text) not in (len(classes.foreground), len(classes)):
            raise BadInputError(
                f"the file name {name!r} has tags for {len(text)} classes, "
                f"but there are {len(classes.foreground)}"
            )
    rows = {}
    for name, text in digits.items():
        ids = classes.foreground if len(text) == len(classes.foreground) else range(len(classes))
        rows[name] = tuple(classes.names[i] for i, digit in zip(ids, text, strict=True) if digit == "1")
    void = (WHITE,) if len(classes.foreground) == TISSUES and classes.background in (-1, WHITE) else ()
    return Tags("the file names", rows, classes, partial=True, void=void)
