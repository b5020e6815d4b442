"""Unique ids of boxes, by which masks and maps refer to them."""

from __future__ import annotations

from dataclasses import replace

from wsstool.data.formats import WrittenBox, WrittenBoxes
from wsstool.types import SILENT, Messages


def numbered(written: WrittenBoxes, messages: Messages = SILENT) -> list[WrittenBox]:
    """Return all rows of a source with unique ids.

    Rows without an id, and those whose id is taken by an earlier one, get numbers above the largest id, in
    the order of the source, whichever of its images are used.
    """
    free = 1 + max((row.id for row in written.rows), default=0)
    free, repeated = max(free, 1), 0
    seen: set[int] = set()
    rows = []
    for row in written.rows:
        repeated += row.id in seen
        if row.id < 0 or row.id in seen:
            row = replace(row, id=free)
            free += 1
        seen.add(row.id)
        rows.append(row)
    if repeated:
        messages.warn(f"renumbered {repeated} annotations of {written.source} with repeated ids")
    return rows
