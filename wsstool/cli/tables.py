"""Results as text on stdout: JSON, name-value lines, aligned tables."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def _finite(value: Any) -> Any:
    """JSON has no NaN: null stands for a number that does not exist."""
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if hasattr(value, "tolist"):
        return _finite(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_json(value: Any) -> None:
    """One JSON object, UTF-8, stable key order as given."""
    print(json.dumps(_finite(value), indent=2, ensure_ascii=False, default=str))


WIDEST = 100
"""Characters of a line of fields; a list or a table that is longer is put below its name."""


def print_fields(fields: Mapping[str, Any], indent: str = "") -> None:
    """``name: value`` lines; what is long, or has blanks in its parts, stands below its name, indented."""
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        text = _one_line(value, WIDEST - len(indent) - width - 2)
        if text is not None:
            print(f"{indent}{name:<{width}}  {text}")
            continue
        print(f"{indent}{name}:")
        if isinstance(value, Mapping):
            print_fields(value, indent + "  ")
        else:
            for one in value:
                print(f"{indent}  {one}")


def _one_line(value: Any, widest: int) -> str | None:
    """A value in a line; None where it is too long, or holds tables or texts that would run together."""
    if isinstance(value, Mapping):
        parts = [f"{name}={one}" for name, one in value.items()]
        is_plain = not any(isinstance(one, Mapping) for one in value.values())
    elif isinstance(value, list | tuple):
        parts = [str(one) for one in value]
        is_plain = not any(isinstance(one, Mapping) or " " in str(one) for one in value)
    else:
        return "-" if value is None or value == "" else str(value)
    text = ", ".join(parts) or "-"
    return text if is_plain and len(text) <= widest else None


def print_table(rows: Sequence[Sequence[Any]], header: Sequence[str]) -> None:
    """Columns aligned, numbers to the right with four decimals."""
    text = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(header), *text]) for i in range(len(header))]
    right = [all(not isinstance(row[i], str) for row in rows) for i in range(len(header))]
    for line in [list(header), *text]:
        cells = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right, strict=True)]
        print("  ".join(cells).rstrip())


def print_tables(parts: Iterable[tuple[Sequence[str], Sequence[Sequence[Any]]] | str]) -> None:
    """Print tables, each a header and rows and followed by an empty line, and lines of text."""
    for part in parts:
        if isinstance(part, str):
            print(part)
        else:
            header, rows = part
            print_table(rows, header)
            print()


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
