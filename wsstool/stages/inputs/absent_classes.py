"""Warn about classes of a list that no mask contains: often a list of another set."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import numpy as np

from wsstool.errors import WsstoolError
from wsstool.types import ClassList, Messages

_SHOWN = 5


def warn_of_absent_classes(
    classes: ClassList, listed: Collection[int], present: Collection[int], masks: str, messages: Messages
) -> None:
    """Report listed classes other than the background without a pixel.

    Args:
        classes: the class list.
        listed: ids of the classes that the list of the masks names.
        present: ids of the classes that occur.
        masks: what they were looked for in, such as ``ground-truth mask``.
        messages: receives the warning.
    """
    absent = [classes.names[c] for c in sorted(listed) if c != classes.background and c not in present]
    if absent and len(listed) > 1:
        more = f" and {len(absent) - _SHOWN} more" if len(absent) > _SHOWN else ""
        messages.warn(f"no {masks} contains the class {', '.join(absent[:_SHOWN])}{more}")


def present_classes(
    masks: Callable[[int], np.ndarray], numbers: Iterable[int], wanted: Collection[int]
) -> set[int]:
    """Return which of the wanted class ids occur; masks are read until all are found.

    Args:
        masks: number -> array of class ids.
        numbers: of the masks; those that cannot be read are reported when their turn comes.
        wanted: class ids.
    """
    missing = set(wanted)
    for number in numbers:
        if not missing:
            break
        try:
            missing -= set(np.flatnonzero(np.bincount(masks(number).reshape(-1), minlength=256)).tolist())
        except WsstoolError:
            continue
    return set(wanted) - missing
