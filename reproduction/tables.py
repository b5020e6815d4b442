"""Tables in Markdown, and names of files made of titles."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from scipy.stats import t


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


def spread(values: Sequence[float]) -> str:
    """Return mean and 95 % interval over seeds, by the t distribution.

    Example:
        >>> spread([0.5, 0.6, 0.7])
        '0.600 ± 0.248'
    """
    mean, n = float(np.mean(values)), len(values)
    if n < 2:
        return f"{mean:.3f}"
    return f"{mean:.3f} ± {t.ppf(0.975, n - 1) * np.std(values, ddof=1) / n**0.5:.3f}"
