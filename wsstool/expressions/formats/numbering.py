"""Ids for formats that demand whole numbers, each once: the known ones where they are such."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wsstool.expressions.expression import Expression, Id


def numbered(known: Sequence[Id | None], first: int = 1) -> list[int]:
    """Return ids that are whole numbers, each once.

    Example:
        >>> numbered([7, 9]), numbered([7, 7]), numbered(["a", None], first=0)
        ([7, 9], [1, 2], [0, 1])
    """
    whole = [one for one in known if isinstance(one, int) and one >= 0]
    if len(set(whole)) == len(known):
        return whole
    return list(range(first, first + len(known)))


def image_numbers(rows: Iterable[Expression]) -> dict[str, int]:
    """Return image name -> id, in the order of first appearance."""
    known: dict[str, Id | None] = {}
    for row in rows:
        if known.get(row.image) is None:
            known[row.image] = row.image_id
    return dict(zip(known, numbered(list(known.values())), strict=True))


def category_numbers(rows: Iterable[Expression]) -> dict[str, int]:
    """Return category name -> id, in alphabetical order from 1; objects without a category are ``object``."""
    return {name: k for k, name in enumerate(sorted({row.category or "object" for row in rows}), 1)}
