"""The names in the label cells of a table: separated, as a list of Python or JSON, or none.

One character separates the names of a table: where any cell has ``;``, ``|`` or ``,``, blanks are part of
names.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wsstool.data.class_match import NameIndex
from wsstool.errors import BadInputError
from wsstool.types import ClassList

MISSING = frozenset(("nan", "<na>", "#n/a", "n/a", "none", "null"))
"""Lower-case spellings of a missing value."""

_SEPARATORS = ";|,"
_QUOTED = re.compile(r"""[ub]?('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")
_CALL = re.compile(r"(?:frozenset|set|array|list|tuple)\((.*?)(?:,\s*dtype=[^)]*)?\)", re.DOTALL)
_BRACKETS = {"[": "]", "{": "}", "(": ")"}


@dataclass(frozen=True)
class LabelCells:
    """The label cells of a table.

    Args:
        names: the names in each cell, without repetitions.
        notes: sentences on what was split and what counts as missing.
    """

    names: list[tuple[str, ...]]
    notes: tuple[str, ...]


def read_cells(
    cells: Sequence[Any], places: Sequence[str], classes: ClassList | None, source: str
) -> LabelCells:
    """Separate the names in the label cells of a table.

    Args:
        cells: texts, lists of texts, or None.
        places: where each cell is, for messages.
        classes: the class list, if there is one: a cell that is one of its names is not separated, and names
            are spelled as there.
        source: the table, for messages.

    Raises:
        BadInputError: a cell that does not hold names, or two characters that may separate names.
    """
    known = NameIndex(classes or ClassList(()))
    texts: dict[int, str] = {}
    found: list[tuple[str, ...]] = [()] * len(cells)
    absent = 0
    for k, cell in enumerate(cells):
        if isinstance(cell, str) and (text := cell.strip()):
            if _is_name(text, known):
                found[k] = (text,)
            elif text.lower() in MISSING:
                absent += 1
            elif (names := _names_of_list(text, known)) is not None:
                found[k] = names
            elif _is_list(text):
                raise BadInputError(f"{source}, {places[k]}: labels must be names, not {text!r}")
            else:
                texts[k] = text
        elif isinstance(cell, list) and all(isinstance(name, str) for name in cell):
            found[k] = tuple(name.strip() for name in cell)
        elif not (cell is None or cell == "" or isinstance(cell, str) or _is_nan(cell)):
            raise BadInputError(f"{source}, {places[k]}: labels must be names, not {cell!r}")
    notes = []
    separator = _separator(list(texts.values()), known, source)
    for k, text in texts.items():
        found[k] = _separated(text, separator, known)
    lists = [
        (str(cells[k]).strip(), names) for k, names in enumerate(found) if k not in texts and len(names) > 1
    ]
    split = [(text, found[k]) for k, text in texts.items() if len(found[k]) > 1]
    if split and classes is None:
        how = "blanks; if it is one name, separate names by ';', or list them in classes.txt"
        notes.append(_split_note(*split[0], how if separator is None else repr(separator)))
    if lists and classes is None and any(isinstance(cell, str) for cell in cells):
        notes.append(_split_note(*lists[0], "the quotes or commas of the list"))
    if absent:
        notes.append(f"{source}: {absent} cells such as 'nan' count as no label")
    return LabelCells([_clean(names, known) for names in found], tuple(notes))


def normalised(name: str) -> str:
    """Return a name in Unicode's composed form, without blanks and quotes around it.

    >>> normalised(" 'cat'")
    'cat'
    """
    name = unicodedata.normalize("NFC", name).strip()
    if len(name) > 2 and name[0] == name[-1] and name[0] in "'\"":
        name = name[1:-1].strip()
    return name


def _separator(texts: Sequence[str], known: NameIndex, source: str) -> str | None:
    """Return the character that separates names; None for blanks."""
    present = [one for one in _SEPARATORS if any(one in text for text in texts)]
    if len(present) < 2:
        return present[0] if present else None
    for one in present:
        if all(_is_name(name, known) for text in texts for name in _parts(text, one)):
            return one
    spelled = " and ".join(repr(one) for one in present)
    raise BadInputError(
        f"{source} has labels with {spelled}, so what separates names is unclear; use one, or name "
        "the classes in classes.txt"
    )


def _separated(text: str, separator: str | None, known: NameIndex) -> tuple[str, ...]:
    if separator is not None:
        return tuple(_parts(text, separator))
    words = text.split()
    names = []
    while words:  # the longest names of the class list, which may have blanks
        n = next((n for n in range(len(words), 1, -1) if _is_name(" ".join(words[:n]), known)), 1)
        names.append(" ".join(words[:n]))
        words = words[n:]
    return tuple(names)


def _parts(text: str, separator: str) -> list[str]:
    return [part.strip() for part in text.split(separator) if part.strip()]


def _is_list(text: str) -> bool:
    return text[0] in "[{"


def _names_of_list(text: str, known: NameIndex) -> tuple[str, ...] | None:
    """Return the names in a list as Python, JSON, numpy or Postgres write it; None for other texts."""
    if call := _CALL.fullmatch(text):
        text = call[1].strip() or "[]"
    if len(text) < 2 or text[-1] != _BRACKETS.get(text[0]):
        return None
    inner = text[1:-1].strip()
    quoted = [_unquoted(token) for token in _QUOTED.findall(inner)]
    rest = re.sub(r"\b(?:None|nan|null|NaN)\b", "", _QUOTED.sub("", inner))
    if quoted or not inner:
        return tuple(quoted) if not rest.strip(", \n\t") else None
    if text[0] == "(" or ":" in inner:
        return None
    parts = re.split(r"[;|,]" if re.search(r"[;|,]", inner) else r"\s+", inner)
    names = tuple(part.strip() for part in parts if part.strip())
    is_numbers = all(re.fullmatch(r"[\s\d.]+", name) for name in names)
    return None if is_numbers and not all(known(name) >= 0 for name in names) else names


def _unquoted(token: str) -> str:
    """Return the text in quotes; JSON writes accents as numbers."""
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), token[1:-1])
    return re.sub(r"\\(.)", r"\1", text)


def _clean(names: Sequence[str], known: NameIndex) -> tuple[str, ...]:
    """Return the names once each, as the class list spells them; missing values are left out."""
    plain = [normalised(name) for name in names]
    plain = [name for name in plain if name and (name.lower() not in MISSING or _is_name(name, known))]
    ids = [known(name) for name in plain]
    spelled = [known.classes.names[i] if i >= 0 else name for name, i in zip(plain, ids, strict=True)]
    return tuple(dict.fromkeys(spelled))


def _is_name(text: str, known: NameIndex) -> bool:
    return known(normalised(text)) >= 0


def _is_nan(cell: Any) -> bool:
    return isinstance(cell, float) and math.isnan(cell)


def _split_note(text: str, names: Sequence[str], how: str) -> str:
    spelled = ", ".join(repr(normalised(name)) for name in names)
    return f"labels are read as several names where one cell has them: {text!r} is {spelled}, by {how}"
