"""Split names of the RefCOCO family."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from wsstool.errors import UsageError
from wsstool.expressions.expression import Expression


def in_split(name: str | None, wanted: str) -> bool:
    """Whether an object whose split is ``name`` belongs to the split that is asked for.

    ``test`` is every split whose name contains it; ``testA``, ``testB`` and ``testC`` include the combined
    ones, such as ``testAB``; every other name is itself.

    Source:
        The REFER API (Kazemzadeh et al., EMNLP 2014); written from its description.

    Example:
        >>> in_split("testAB", "testB"), in_split("testA", "test"), in_split("testA", "testAB")
        (True, True, False)
    """
    if name is None:
        return False
    if wanted == "test":
        return "test" in name
    if wanted in ("testA", "testB", "testC"):
        return name.startswith("test") and wanted[-1] in name[4:]
    return name == wanted


def of_split(rows: Iterable[Expression], wanted: str | None, source: str) -> tuple[Expression, ...]:
    """Return the objects of a split; all objects without one.

    Raises:
        UsageError: no object belongs to it; the message lists the splits that there are.
    """
    rows = tuple(rows)
    if wanted is None:
        return rows
    found = tuple(row for row in rows if in_split(row.split, wanted))
    if not found:
        known = ", ".join(split_counts(rows)) or "none"
        raise UsageError(f"no split '{wanted}' in {source}; there are: {known}")
    return found


def split_counts(rows: Iterable[Expression]) -> dict[str, dict[str, int]]:
    """Count objects and sentences of each split, in the order of their first appearance."""
    objects: Counter[str] = Counter()
    sentences: Counter[str] = Counter()
    for row in rows:
        if row.split is not None:
            objects[row.split] += 1
            sentences[row.split] += len(row.sentences)
    return {name: {"objects": n, "sentences": sentences[name]} for name, n in objects.items()}
