"""Tables in Markdown, and names of files made of titles."""

from __future__ import annotations

import re
from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table in Markdown; numbers with three digits, None as an empty cell."""

    def shown(cell: object) -> str:
        return "" if cell is None else f"{cell:.3f}" if isinstance(cell, float) else str(cell)

    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(shown(cell) for cell in line) + " |" for line in lines)


def slug(text: str) -> str:
    """Return a title as part of a file name.

    Example:
        >>> slug("student, Gumbel labels")
        'student-gumbel-labels'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower().replace("+", "p")).strip("-")
