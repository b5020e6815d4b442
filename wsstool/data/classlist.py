"""Class lists on disk: indexed lines with colours, plain names, or JSON.

The background class is named ``background``, ``_background_`` or ``__background__``, in any case. A list
whose indices start at 1 gets a background at 0. A plain list of names has a background only if it contains
one. A line for index 255 (void, border, ignore) is skipped: 255 is never a class.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wsstool.annotation_file import regular
from wsstool.errors import BadInputError, CannotWriteError, MissingInputError
from wsstool.types import IGNORE, ClassList

BACKGROUND_NAMES = ("background", "_background_", "__background__")

_INDEXED = re.compile(r"(\d+)[\s:,]+(.+?)\s*$")
_COLOURED = re.compile(r"(.+?)[\s,]+(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})$")

Row = tuple[int, str, tuple[int, int, int] | None]


def class_list(names: Sequence[str], palette: Sequence[tuple[int, int, int]] = ()) -> ClassList:
    """Build a class list from names; the background is recognised by its name.

    Example:
        >>> class_list(["background", "cat"]).background
        0
        >>> class_list(["stroma", "gland"]).background
        -1
    """
    named = [i for i, name in enumerate(names) if name.lower() in BACKGROUND_NAMES]
    return ClassList(tuple(names), named[0] if named else -1, tuple(palette))


def with_background(names: Sequence[str]) -> ClassList:
    """Build a class list from names, adding a background as class 0 if there is none."""
    found = class_list(names)
    return found if found.background >= 0 else class_list(("background", *names))


def numbering_note(path: str | os.PathLike[str], classes: ClassList) -> str | None:
    """Return a sentence on the background that a list numbered from 1 gets; None for other lists.

    Args:
        path: of the list.
        classes: what ``read_class_list`` read from it.
    """
    try:
        text = regular(Path(path)).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None
    if classes.background != 0 or classes.names[0].lower() in text.lower():
        return None
    return (
        f"class list {str(path)!r} is numbered from 1, so class 0 is the background; names without numbers "
        "are counted from 0, without a background"
    )


def read_class_list(path: str | os.PathLike[str]) -> ClassList:
    """Read a class list.

    Text has one class per line: ``index name [red green blue]``, or just the name; names may contain spaces;
    lines that start with ``#`` are comments. JSON is a list of names, a dictionary of names by id or of ids
    or colours by name, ``{"names": [...], "palette": [...]}``, or COCO's ``categories``. Names are brought to
    Unicode's composed form.

    Raises:
        MissingInputError: no such file.
        BadInputError: not text, no class, a name or index twice, a missing index, more than 255 classes.
    """
    path = Path(path)
    try:
        text = regular(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise MissingInputError(f"there is no class list {str(path)!r}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"class list {str(path)!r} cannot be read: {error}") from None
    rows = _json_rows(path, text) if path.suffix.lower() == ".json" else _text_rows(path, text)
    if len(rows) <= IGNORE:
        rows = [row for row in rows if row[0] != IGNORE]
    return _checked(path, rows)


def listed_classes(text: str) -> ClassList:
    """Read a class list from names joined by commas, numbered from 0 in their order.

    Raises:
        BadInputError: an empty name, a name twice, or more than 255 names.

    Example:
        >>> listed_classes("background, cat,potted plant").names
        ('background', 'cat', 'potted plant')
    """
    return _checked(Path(text), [(i, name.strip(), None) for i, name in enumerate(text.split(","))])


def write_class_list(path: str | os.PathLike[str], classes: ClassList) -> None:
    """Write ``index name [red green blue]`` lines, which ``read_class_list`` reads back.

    Raises:
        CannotWriteError: no such folder, no space, no permission.
    """
    lines = []
    for i, name in enumerate(classes.names):
        colour = " ".join(map(str, classes.palette[i])) if i < len(classes.palette) else ""
        lines.append(f"{i} {name} {colour}".rstrip() + "\n")
    try:
        Path(path).write_text("".join(lines), encoding="utf-8")
    except OSError as error:
        raise CannotWriteError(f"cannot write class list {str(path)!r}: {error.strerror}") from error


def _text_rows(path: Path, text: str) -> list[Row]:
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    indexed = [_INDEXED.match(line) for line in lines]
    if not all(indexed):
        named = sum(match is not None for match in indexed)
        if named:
            raise BadInputError(
                f"class list {str(path)!r} has an index for only {named} of {len(lines)} classes"
            )
        return [(i, *_colour(line)) for i, line in enumerate(lines)]
    return [(int(match[1]), *_colour(match[2])) for match in indexed if match]


def _colour(text: str) -> tuple[str, tuple[int, int, int] | None]:
    """Split a line into the name and, if present, the colour after it."""
    match = _COLOURED.match(text)
    if match and all(int(v) <= 255 for v in match.groups()[1:]):
        return match[1], (int(match[2]), int(match[3]), int(match[4]))
    return text, None


def _json_rows(path: Path, text: str) -> list[Row]:
    try:
        data = json.loads(text)
        palette: Sequence[Sequence[int]] = ()
        if isinstance(data, dict) and "categories" in data:
            # COCO's ids have gaps; masks and classifiers use consecutive ids.
            ordered = sorted(data["categories"], key=lambda c: int(c["id"]))
            first = 1 if ordered and int(ordered[0]["id"]) else 0
            data = [{**c, "id": i} for i, c in enumerate(ordered, first)]
        elif isinstance(data, dict) and "names" in data:
            palette, data = data.get("palette") or (), data["names"]
        if isinstance(data, dict):
            return _dictionary_rows(data)
        if data and isinstance(data[0], dict):
            return [(int(c["id"]), str(c["name"]), _triple(c.get("color"))) for c in data]
        if not isinstance(data, list) or not all(isinstance(name, str) for name in data):
            raise ValueError("expected a list of strings")
        return [(i, name, _triple(palette[i]) if i < len(palette) else None) for i, name in enumerate(data)]
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise BadInputError(f"class list {str(path)!r} is not in a supported JSON form ({error})") from None


def _dictionary_rows(data: dict[str, Any]) -> list[Row]:
    """Return the rows of ``{id: name}``, ``{name: id}`` or ``{name: [red, green, blue]}`` in its order."""
    if all(isinstance(value, int) for value in data.values()):
        return [(int(i), str(name), None) for name, i in data.items()]
    if all(isinstance(value, list) for value in data.values()):
        return [(k, str(name), _triple(colour)) for k, (name, colour) in enumerate(data.items())]
    if not all(key.strip().isdecimal() and isinstance(value, str) for key, value in data.items()):
        raise ValueError("expected names by id, or ids or colours by name")
    return [(int(i), name, None) for i, name in data.items()]


def _triple(colour: Sequence[int] | None) -> tuple[int, int, int] | None:
    if colour is None:
        return None
    red, green, blue = (int(v) for v in colour)
    if not all(0 <= v <= 255 for v in (red, green, blue)):
        raise ValueError(f"{list(colour)} is not a colour")
    return red, green, blue


def _checked(path: Path, rows: list[Row]) -> ClassList:
    rows = sorted(rows, key=lambda row: row[0])
    where = f"class list {str(path)!r}"
    if not rows:
        raise BadInputError(f"{where} contains no class")
    if rows[0][0] == 1:
        rows.insert(0, (0, "background", (0, 0, 0) if rows[0][2] is not None else None))
    rows = [(i, unicodedata.normalize("NFC", name), colour) for i, name, colour in rows]
    names = [row[1] for row in rows]
    for i, (index, name, _) in enumerate(rows):
        if index != i:
            twice = i and rows[i - 1][0] == index
            raise BadInputError(
                f"{where} contains index {index} twice" if twice else f"{where} has no index {i}"
            )
        if not name:
            raise BadInputError(f"{where} contains an empty name")
        if name in names[:i]:
            raise BadInputError(f"{where} contains '{name}' twice")
    if len(rows) > IGNORE:
        raise BadInputError(f"{where} has {len(rows)} classes, but an 8-bit mask has room for {IGNORE}")
    coloured = [row[2] for row in rows if row[2] is not None]
    if coloured and len(coloured) < len(rows):
        raise BadInputError(f"{where} has a colour for only {len(coloured)} of {len(rows)} classes")
    return class_list(names, coloured)
