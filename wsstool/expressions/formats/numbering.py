"""Ids of images and categories for formats that demand whole numbers."""

from __future__ import annotations

from collections.abc import Iterable

from wsstool.expressions.expression import Expression, Id, numbered


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
