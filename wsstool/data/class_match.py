"""Match the classes of two lists by name, never by number."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from wsstool.data.classlist import BACKGROUND_NAMES
from wsstool.data.palettes import class_palette
from wsstool.errors import BadInputError
from wsstool.types import IGNORE, ClassList

_PLACEHOLDER = re.compile(r"class[-_]\d+|object")
_SHOWN = 24


class NameIndex:
    """Find classes by name: call it with a name for its id in the list, -1 if the list lacks it.

    A name that the list does not spell in the same way is found if it differs only in underscores for spaces
    or in its Unicode form, or if both are names of the background.
    """

    def __init__(self, known: ClassList) -> None:
        self.classes = known
        self._exact = {name: i for i, name in enumerate(known.names)}
        self._loose: dict[str, int] = {}
        for i, name in enumerate(known.names):
            key = _key(name)
            self._loose[key] = -1 if key in self._loose else i

    def __call__(self, name: str) -> int:
        found = self._exact.get(name)
        return self._loose.get(_key(name), -1) if found is None else found


def class_ids(known: ClassList, names: Sequence[str]) -> list[int]:
    """Return the id in a class list of each of these names, see ``NameIndex``.

    Example:
        >>> class_ids(ClassList(("background", "potted plant", "cat"), 0), ["cat", "potted_plant", "dog"])
        [2, 1, -1]
    """
    index = NameIndex(known)
    return [index(name) for name in names]


def are_placeholders(classes: ClassList) -> bool:
    """Whether no class has a name of its own: ``class-1``, ``class_2``, as given where a source has none."""
    return all(_PLACEHOLDER.fullmatch(classes.names[i]) for i in classes.foreground)


def joined_classes(known: ClassList, other: ClassList, what: str) -> tuple[ClassList, np.ndarray]:
    """Match another list with a known one; classes that only the other list has are appended.

    Args:
        known: the list whose numbers stay.
        other: the list whose classes get the numbers of the first.
        what: the owners of both, for the message: "'masks.h5' and 'data/'".

    Returns:
        The known list, with the classes that it lacks at its end; and the (C,) id in it of each class of
        ``other``.

    Raises:
        BadInputError: each list has classes that the other lacks, so that one of them may be another
            spelling; or one list has no names, and another number of classes.

    Example:
        >>> both, ids = joined_classes(ClassList(("cat", "dog")), ClassList(("dog", "cat", "emu")), "a and b")
        >>> both.names, ids.tolist()
        (('cat', 'dog', 'emu'), [1, 0, 2])
    """
    if known.names == other.names:
        return known, np.arange(len(known))
    ids = np.array(class_ids(known, other.names), np.int64)
    if (ids < 0).any() and are_placeholders(known) != are_placeholders(other):
        ids = _by_position(known, other, what)
    lacking = np.flatnonzero(ids < 0)
    alone = [i for i in known.foreground if i not in ids]
    unknown = [i for i in lacking if i != other.background]
    if (unknown and alone) or len(lacking) == len(ids):
        raise BadInputError(
            f"{what} have different classes, which cannot be matched by name: {listed(known)}; and "
            f"{listed(other)}"
        )
    ids[lacking] = len(known) + np.arange(len(lacking))
    return extended(known, [other.names[i] for i in lacking]), ids


def id_of_value(ids: np.ndarray) -> np.ndarray:
    """Return the class id that each value of a label map becomes, (256,) uint8; other values are "ignore".

    Args:
        ids: (C,) id of each of its classes, as from ``joined_classes``.
    """
    found = np.full(256, IGNORE, np.uint8)
    found[: min(len(ids), IGNORE)] = ids[:IGNORE]
    return found


def extended(known: ClassList, names: Sequence[str]) -> ClassList:
    """Append classes to a list; the numbers of its own stay."""
    if not names:
        return known
    every = (*known.names, *names)
    palette = [(r, g, b) for r, g, b in class_palette(known)[: len(every)].tolist()] if known.palette else []
    background = known.background
    if background < 0:
        background = next((i for i, n in enumerate(every) if _key(n) == "background"), -1)
    return replace(known, names=every, background=background, palette=tuple(palette))


def labels_by_name(
    labels: np.ndarray, classes: ClassList, known: ClassList, what: str
) -> tuple[np.ndarray, list[str]]:
    """Reorder image-level labels to a known class list.

    Args:
        labels: (N, C) uint8, one column per class of ``classes``.
        classes: their class list.
        known: the list that is wanted.
        what: the owners of ``known`` and ``classes``, for the message.

    Returns:
        (N, K) uint8, one column per class of ``known``, that of the background 0; and the labelled classes
        that ``known`` lacks, whose labels are lost.

    Raises:
        BadInputError: the names cannot be matched, see ``joined_classes``.
    """
    both, ids = joined_classes(known, classes, what)
    found = np.zeros((len(labels), len(both)), np.uint8)
    found[:, ids] = labels
    if known.background >= 0:
        found[:, known.background] = 0
    lost = [both.names[k] for k in range(len(known), len(both)) if found[:, k].any()]
    return found[:, : len(known)], lost


def listed(classes: ClassList) -> str:
    """Return the names of a class list for a message.

    >>> listed(ClassList(("cat", "dog")))
    'cat, dog'
    """
    more = ", ..." if len(classes) > _SHOWN else ""
    return ", ".join(classes.names[:_SHOWN]) + more


def _by_position(known: ClassList, other: ClassList, what: str) -> np.ndarray:
    """Return the id of each class where one list has no names: as many classes, in the same order."""
    if len(known.foreground) != len(other.foreground):
        raise BadInputError(
            f"{what} have different numbers of classes, and one of them has no names to match: "
            f"{listed(known)}; and {listed(other)}"
        )
    ids = np.full(len(other), known.background, np.int64)
    ids[list(other.foreground)] = known.foreground
    return ids


def _key(name: str) -> str:
    key = unicodedata.normalize("NFC", name).strip().replace(" ", "_")
    return "background" if key.lower() in BACKGROUND_NAMES else key
