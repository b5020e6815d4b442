"""Results as text on stdout: JSON, name-value lines, aligned tables."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wsstool.cli.printed import print_line, visible_json


def _finite(value: Any) -> Any:
    """Replace NaN and infinity by None: JSON has neither."""
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if hasattr(value, "tolist"):
        return _finite(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_json(value: Any) -> None:
    """Print one JSON object as UTF-8, keys in the given order."""
    print(visible_json(json.dumps(_finite(value), indent=2, ensure_ascii=False, default=str)))


WIDEST = 100
"""Characters per line of fields; a longer list or table is printed below its name."""


def print_fields(fields: Mapping[str, Any], indent: str = "") -> None:
    """Print ``name  value`` lines; long values and texts with blanks go below their name, indented."""
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        text = _one_line(value, WIDEST - len(indent) - width - 2)
        if text is not None:
            print_line(f"{indent}{name:<{width}}  {text}")
            continue
        print_line(f"{indent}{name}:")
        if isinstance(value, Mapping):
            print_fields(value, indent + "  ")
        else:
            for one in value:
                print_line(f"{indent}  {_fields_of(one)}")


def _fields_of(value: Any) -> str:
    """Format an entry of a list: a mapping as ``name=value, ...``."""
    return ", ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, Mapping) else str(value)


def _one_line(value: Any, widest: int) -> str | None:
    """Format a value as one line; None if too long, or with tables or texts that would run together."""
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
    """Print aligned columns, numbers right-aligned with four decimals."""
    text = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(header), *text]) for i in range(len(header))]
    right = [all(not isinstance(row[i], str) for row in rows) for i in range(len(header))]
    for line in [list(header), *text]:
        cells = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right, strict=True)]
        print_line("  ".join(cells).rstrip())


def print_tables(parts: Iterable[tuple[Sequence[str], Sequence[Sequence[Any]]] | str]) -> None:
    """Print tables (header and rows, followed by an empty line) and lines of text."""
    for part in parts:
        if isinstance(part, str):
            for line in part.split("\n"):
                print_line(line)
        else:
            header, rows = part
            print_table(rows, header)
            print()


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
